"""A provider's token endpoint: proves who we are, and exchanges codes and refresh tokens."""

import base64
import json
from pathlib import Path
from urllib.parse import quote_plus

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from auth_worker.providers.base import Surroundings
from auth_worker.providers.id_tokens import Registry
from auth_worker.providers.web import Answer, NothingDone, ProviderUnavailable
from shared.boxes import CodeEvidence
from shared.settings import RedirectSection, SettingsError

ASSERTION_SECONDS = 60
_ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
"""Curve of a private key -> how it signs."""


class GrantRefused(Exception):
    """The code or the refresh token is used up, too old, revoked, or not ours (RFC 6749 5.2, `invalid_grant`)."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint answers, as far as it matters here."""

    access_token: str
    token_type: str
    refresh_token: str | None = None
    id_token: str | None = None
    expires_in: float | str | None = None

    def __repr__(self) -> str:
        return "Tokens(***)"


class _Error(msgspec.Struct, frozen=True):
    error: str = ""


class TokenEndpoint:
    """One client at one provider. Its address comes with each call: a provider may move it."""

    def __init__(self, settings: RedirectSection, within: Surroundings) -> None:
        self._settings = settings
        self._within = within
        self._secret = _secret(settings, within.name)
        self._key = _key(settings, within.name)

    def __repr__(self) -> str:
        return f"TokenEndpoint({self._settings.client_id!r})"

    async def redeem(self, url: str, evidence: CodeEvidence, *, audience: str) -> Tokens:
        """Return the tokens for an authorization code.

        Args:
            audience: whom a proof by private key is made out to, if the settings do not say.

        Raises:
            GrantRefused: the code is used up, too old, or was given to somebody else.
            ProviderUnavailable: no answer, or one that says nothing about the code.
        """
        form = {
            "grant_type": "authorization_code",
            "code": evidence.code,
            "redirect_uri": evidence.redirect_uri,
            "code_verifier": evidence.verifier,
        }
        return await self._ask(url, form, audience)

    async def refresh(self, url: str, refresh_token: str, *, audience: str) -> Tokens:
        """Return the tokens for a refresh token, which may be used up by it; otherwise as `redeem`."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._ask(url, form, audience)

    async def _ask(self, url: str, form: dict[str, str], audience: str) -> Tokens:
        fields, headers = self._proof(audience)
        answer = await self._within.web.send(
            "POST",
            url,
            form=form | fields,
            headers={"Accept": "application/json", **headers},
            refuses_us=lambda answer: _error(answer) not in {"", *_OF_THE_GRANT},
        )
        # GitHub says what is wrong with status 200.
        if error := _error(answer):
            if error in _OF_THE_GRANT:
                raise GrantRefused(error)
            # Who refuses has done nothing (RFC 6749 5.2); only of a fault of its own nobody knows where it happened.
            kind = ProviderUnavailable if error == "server_error" else NothingDone
            raise kind(f"{url} refused us with {answer.status}: {_told(error)}")
        if answer.status in {429, 503}:
            raise NothingDone(f"{url} answered {answer.status}")
        if answer.status != 200:
            raise ProviderUnavailable(f"{url} answered {answer.status}")
        try:
            tokens = msgspec.json.decode(answer.body, type=Tokens)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ProviderUnavailable(f"{url} answered something that are no tokens") from None
        if tokens.token_type.lower() != "bearer":
            raise ProviderUnavailable(f"{url} gives tokens of a type that is not known here")
        return tokens

    def _proof(self, audience: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the fields and headers that prove who we are."""
        client_id = self._settings.client_id
        match self._settings.client_authentication:
            case "basic":
                # Encoded as for a form first (RFC 6749 2.3.1): a colon in the id would end it.
                pair = f"{quote_plus(client_id)}:{quote_plus(self._secret)}"
                return {}, {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
            case "post":
                return {"client_id": client_id, "client_secret": self._secret}, {}
            case "private_key_jwt":
                return {
                    "client_id": client_id,
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    "client_assertion": self._assertion(self._settings.assertion_audience or audience),
                }, {}
        return {"client_id": client_id}, {}

    def _assertion(self, audience: str) -> str:
        assert self._key is not None
        now = self._within.clock.now()
        claims = {
            "iss": self._settings.client_id,
            "sub": self._settings.client_id,
            "aud": audience,
            "jti": base64.urlsafe_b64encode(self._within.random.token_bytes(18)).decode(),
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        algorithm = _algorithm(self._key)
        header = {"alg": algorithm, "typ": "JWT"}
        kid = self._settings.private_key_id or self._key.kid
        return jws.serialize_compact(
            header | ({"kid": kid} if kid else {}),
            json.dumps(claims).encode(),
            self._key,
            registry=Registry(algorithms=[algorithm]),
        )


_OF_THE_GRANT = {"invalid_grant", "bad_verification_code", "bad_refresh_token"}
"""What is said of a code or refresh token; the last two by GitHub."""
_TOLD = {
    "invalid_client": "it does not know client_id, or takes another client_secret, key or client_auth",
    "unauthorized_client": "this client may not use authorization codes, or refresh tokens, there",
    "redirect_uri_mismatch": "the redirect URI is not registered there",
    "incorrect_client_credentials": "it takes another client_id or client_secret",
}
"""Error code -> what is wrong; what else a provider says is not repeated, for it may repeat what we sent."""


def _error(answer: Answer) -> str:
    try:
        return msgspec.json.decode(answer.body, type=_Error).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _told(error: str) -> str:
    known = {
        "invalid_request",
        "unsupported_grant_type",
        "invalid_scope",
        "temporarily_unavailable",
        "server_error",
    }
    return _TOLD.get(error, error if error in known else "for a reason that RFC 6749 does not know")


def _secret(settings: RedirectSection, name: str) -> str:
    if settings.client_secret:
        return settings.client_secret.get_secret_value()
    if settings.client_secret_file is None:
        return ""
    secret = _content(settings.client_secret_file, f"providers.{name}.client_secret_file").decode().strip()
    if not secret:
        raise SettingsError([f"providers.{name}.client_secret_file: {settings.client_secret_file} is empty"])
    return secret


def _key(settings: RedirectSection, name: str) -> Key | None:
    if settings.private_key_file is None:
        return None
    setting = f"providers.{name}.private_key_file"
    content = _content(settings.private_key_file, setting)
    try:
        key = _parsed(content)
    except (JoseError, ValueError, TypeError):
        key = None
    if key is None or not key.is_private or not _algorithm(key):
        raise SettingsError(
            [f"{setting}: no private key for signing in it; write PEM or a JWK, RSA, P-256 or Ed25519"]
        )
    return key


def _parsed(content: bytes) -> Key | None:
    if content.lstrip().startswith(b"{"):
        jwk = json.loads(content)
        return None if jwk.get("kty") == "oct" else import_key(jwk)
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            return kind.import_key(content)
        except (JoseError, ValueError, TypeError):
            continue
    return None


def _algorithm(key: Key) -> str:
    if isinstance(key, RSAKey):
        return "RS256"
    return _ALGORITHMS.get(str(key.as_dict(private=False).get("crv")), "")


def _content(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError([f"{setting}: {path} cannot be read: {error.strerror}"]) from None
