"""Whom an access token of the service's own app names: verified by published keys, by introspection, or at userinfo.

Sources: RFC 7519, 8725, 9068 (JWTs and what to check of them), RFC 7662 (introspection), OpenID Connect Core 1.0, section 5.3.
All three raise `SignInRefused` for a token that does not hold here, and `ProviderUnavailable` for whatever says nothing about
it; the messages are for the log and never hold a word of the token.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import quote_plus

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet

from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable, Web
from shared.context import Clock
from shared.domain.errors import SignInRefused
from shared.settings import (
    AppSettings,
    IntrospectionSettings,
    JwksSettings,
    ServiceSettings,
    SettingsError,
    UserinfoSettings,
)

LEEWAY = 60
"""Seconds by which the clocks of issuer and auth_worker may differ."""
KEYS_SECONDS = 600.0
"""How long published keys are believed without asking again."""
KEYS_AT_MOST_EVERY = 30.0
"""Seconds between two requests for keys, however many tokens name a key that is not known."""
LONGEST_SUBJECT = 255

_TYPES = {None, "jwt", "at+jwt", "application/at+jwt"}
"""What the header may call itself: an access token, or nothing in particular; not a logout token, not a request object."""

Claims = Mapping[str, Any]


class AppTokens(Protocol):
    """One way of verifying the access tokens of one service's app."""

    async def identity(self, token: str) -> Identity:
        """Return whom the token names.

        Raises:
            SignInRefused: the token does not hold, or is not meant for us.
            ProviderUnavailable: cannot be told now.
        """
        ...


@asynccontextmanager
async def open_app_tokens(
    services: Mapping[str, ServiceSettings], clock: Clock
) -> AsyncIterator[dict[str, AppTokens]]:
    """Open what the settings say, by service; nothing for a service whose app sends no tokens."""
    async with Web.open() as web:
        opened = {
            name: _tokens(service.app, web, clock)
            for name, service in services.items()
            if service.app is not None
        }
        yield {name: tokens for name, tokens in opened.items() if tokens is not None}


def _tokens(app: AppSettings, web: Web, clock: Clock) -> AppTokens | None:
    if app.jwks is not None:
        return JwksTokens(app.jwks, _Reader(app), web, clock)
    if app.introspection is not None:
        return IntrospectedTokens(app.introspection, _Reader(app), web, clock)
    if app.userinfo is not None:
        return UserinfoTokens(app.userinfo, _Reader(app), web)
    return None


class _Reader:
    """Reads who is meant out of claims that are genuine."""

    def __init__(self, app: AppSettings) -> None:
        self._app = app

    def identity(self, claims: Claims) -> Identity:
        """Return the person, without a nickname where the claims tell none.

        Raises:
            SignInRefused: nobody is named, or the scope is missing.
        """
        subject = claims.get(self._app.subject_claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise SignInRefused("the token names nobody")
        if self._app.scope is not None and self._app.scope not in _scopes(claims):
            raise SignInRefused("the token lacks the scope that the settings ask for")
        nickname = claims.get(self._app.nickname_claim)
        return Identity(subject=subject, nickname=nickname if isinstance(nickname, str) else "")


class JwksTokens:
    """Verifies JWTs with the keys that their issuer publishes."""

    def __init__(self, settings: JwksSettings, reader: _Reader, web: Web, clock: Clock) -> None:
        self._settings = settings
        self._reader = reader
        self._keys = _PublishedKeys(settings.url, web, clock)
        self._clock = clock

    async def identity(self, token: str) -> Identity:
        """Return whom the token names."""
        claims = await self._claims(token)
        if claims.get("iss") != self._settings.issuer:
            raise SignInRefused("the token is of another issuer")
        if "exp" not in claims:
            raise SignInRefused("the token never expires")
        _check_audience(claims, self._settings.audience)
        _check_times(claims, now=self._clock.now())
        return self._reader.identity(claims)

    async def _claims(self, token: str) -> Claims:
        try:
            try:
                decoded = self._decoded(token, await self._keys.current())
            except InvalidKeyIdError:
                decoded = self._decoded(token, await self._keys.newer())
        except (JoseError, ValueError) as error:
            raise SignInRefused(f"the token is not genuine: {type(error).__name__}") from None
        kind = decoded.header.get("typ")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
            raise SignInRefused("the token is of another kind")
        return decoded.claims

    def _decoded(self, token: str, keys: KeySet) -> jwt.Token:
        return jwt.decode(token, keys, algorithms=list(self._settings.algorithms))


class IntrospectedTokens:
    """Shows tokens to their issuer."""

    def __init__(self, settings: IntrospectionSettings, reader: _Reader, web: Web, clock: Clock) -> None:
        self._settings = settings
        self._secret = _secret(settings)
        self._reader = reader
        self._web = web
        self._clock = clock

    async def identity(self, token: str) -> Identity:
        """Return whom the token names."""
        answer = await self._web.send(
            "POST",
            self._settings.url,
            form={"token": token, "token_type_hint": "access_token"},
            headers={"Authorization": self._authorization, "Accept": "application/json"},
        )
        if answer.status != 200:
            # Not the person's fault: the token is refused by `active`, never by a status (RFC 7662, section 2.2).
            raise ProviderUnavailable(
                f"introspection answered {answer.status}; check client_id and client_secret"
            )
        claims = answer.json()
        if claims.get("active") is not True:
            raise SignInRefused("the token is not active")
        if self._settings.issuer is not None and claims.get("iss") != self._settings.issuer:
            raise SignInRefused("the token is of another issuer")
        if self._settings.audience is not None:
            _check_audience(claims, self._settings.audience)
        _check_times(claims, now=self._clock.now())
        return self._reader.identity(claims)

    @property
    def _authorization(self) -> str:
        # Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
        name = quote_plus(self._settings.client_id)
        secret = quote_plus(self._secret)
        return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


class UserinfoTokens:
    """Tries tokens where their issuer tells about people."""

    def __init__(self, settings: UserinfoSettings, reader: _Reader, web: Web) -> None:
        self._settings = settings
        self._reader = reader
        self._web = web

    async def identity(self, token: str) -> Identity:
        """Return whom the token names."""
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        answer = await self._web.send("GET", self._settings.url, headers=headers)
        if answer.status in {400, 401, 403}:
            raise SignInRefused(f"userinfo answered {answer.status}")
        if answer.status != 200:
            raise ProviderUnavailable(f"userinfo answered {answer.status}")
        return self._reader.identity(answer.json())


class _PublishedKeys:
    """The public keys of an issuer, kept for a while; one request for them at a time."""

    def __init__(self, url: str, web: Web, clock: Clock) -> None:
        self._url = url
        self._web = web
        self._clock = clock
        self._keys: KeySet | None = None
        self._asked_at = 0.0
        self._asking = asyncio.Lock()

    async def current(self) -> KeySet:
        """Return the keys, not older than `KEYS_SECONDS`.

        Raises:
            ProviderUnavailable: the issuer does not tell them.
        """
        async with self._asking:
            if self._keys is None or self._age() > KEYS_SECONDS:
                await self._ask()
            assert self._keys is not None  # asked for just now
            return self._keys

    async def newer(self) -> KeySet:
        """Return the keys, asked for again: a token names one that is not among those we have.

        Raises:
            ProviderUnavailable: the issuer does not tell them, or was asked a moment ago.
        """
        async with self._asking:
            if self._age() <= KEYS_AT_MOST_EVERY:
                raise ProviderUnavailable("the token names a key that the issuer did not have a moment ago")
            await self._ask()
            assert self._keys is not None  # asked for just now
            return self._keys

    def _age(self) -> float:
        return self._clock.monotonic() - self._asked_at

    async def _ask(self) -> None:
        answer = await self._web.send("GET", self._url, headers={"Accept": "application/json"})
        if answer.status != 200:
            raise ProviderUnavailable(f"the issuer's keys: answered {answer.status}")
        self._keys = _key_set(answer.json())
        self._asked_at = self._clock.monotonic()


def _secret(settings: IntrospectionSettings) -> str:
    if settings.client_secret is not None:
        return settings.client_secret.get_secret_value()
    assert settings.client_secret_file is not None  # the settings have one of the two
    where = f"services.NAME.app.introspection.client_secret_file: {settings.client_secret_file}"
    try:
        secret = settings.client_secret_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            [f"{where} cannot be read ({type(error).__name__}); write the secret into it"]
        ) from None
    if not secret:
        raise SettingsError([f"{where} is empty; write the secret into it"])
    return secret


def _key_set(document: Mapping[str, Any]) -> KeySet:
    """Return the keys that check signatures; those of kinds we do not know are passed over (RFC 7517, section 5)."""
    found = document.get("keys")
    keys = []
    for jwk in found if isinstance(found, list) else ():
        if (
            not isinstance(jwk, dict)
            or jwk.get("kty") not in {"RSA", "EC", "OKP"}
            or jwk.get("use", "sig") != "sig"
        ):
            continue
        try:
            keys.append(JWKRegistry.import_key(jwk))
        except (JoseError, ValueError, TypeError):
            continue
    if not keys:
        raise ProviderUnavailable("the issuer's keys: none that checks signatures")
    return KeySet(keys)


def _check_audience(claims: Claims, audience: str) -> None:
    told = claims.get("aud")
    if audience not in (told if isinstance(told, list) else [told]):
        raise SignInRefused("the token is meant for somebody else")


def _check_times(claims: Claims, *, now: int) -> None:
    expires, begins = claims.get("exp", now), claims.get("nbf", now)
    if not isinstance(expires, int | float) or not isinstance(begins, int | float):
        raise SignInRefused("the token's times are no numbers")
    if now - LEEWAY >= expires:
        raise SignInRefused("the token has expired")
    if begins > now + LEEWAY:
        raise SignInRefused("the token is not valid yet")


def _scopes(claims: Claims) -> list[Any]:
    """Return the scopes: a string of words (RFC 9068), or a list as some issuers have it."""
    told = claims.get("scope", claims.get("scp"))
    return told.split() if isinstance(told, str) else told if isinstance(told, list) else []
