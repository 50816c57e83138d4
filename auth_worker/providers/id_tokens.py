"""Checks what a provider has signed: ID tokens and logout tokens (OpenID Connect Core 3.1.3.7, RFC 8725).

Whatever is wrong is a `Forged`, whose message is for the log and says nothing of the content.
"""

import base64
import hashlib
import hmac
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import Key, KeySet, import_key
from joserfc.jws import JWSRegistry
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry, Token

LEEWAY_SECONDS = 60
"""By how much the provider's clock and ours may differ."""
LOGOUT_SECONDS = 300
"""How old a logout token may be that does not say when it ends."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

_HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}


class Forged(Exception):
    """Not a token of this provider for us, or not any more."""


class UnknownKey(Forged):
    """Signed with a key that was not known when the keys were last fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What every token has to say."""

    issuer: str
    client_id: str
    algorithms: Sequence[str]
    """None of them may be one that a shared secret signs."""
    now: int


class Registry(JWSRegistry):
    """How tokens of providers are read, and ours for them written: with room, and without a word of advice in the log."""

    # Some providers send a certificate chain along.
    max_header_length = 16 * 1024

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return the algorithm, if it is one of those allowed."""
        with warnings.catch_warnings():
            # `EdDSA` is deprecated for its name (RFC 9864), and is what providers know.
            warnings.simplefilter("ignore", SecurityWarning)
            return super().get_alg(name)


def keys_from(document: dict[str, Any]) -> KeySet:
    """Return the keys of a JWK set that may verify signatures; kinds that are not known here are passed over."""
    keys: list[Key] = []
    for jwk in document.get("keys") or ():
        # A key that is a secret would verify what anybody could sign who has read it here.
        if not isinstance(jwk, dict) or jwk.get("kty") == "oct" or jwk.get("use", "sig") != "sig":
            continue
        try:
            keys.append(import_key(jwk))
        except (JoseError, ValueError, TypeError):
            continue
    return KeySet(keys)


def check_id_token(
    value: str,
    keys: KeySet,
    expected: Expected,
    *,
    nonce: str | None,
    access_token: str,
    max_age: int | None = None,
) -> dict[str, Any]:
    """Return the claims of an ID token.

    Args:
        nonce: what this browser was sent with; None for one that came with a refresh.
        access_token: what came along with it.
        max_age: seconds since the person last proved who they are.

    Raises:
        UnknownKey, Forged: it may not be believed.
    """
    token = _decoded(value, keys, expected)
    if _type(token) not in {"", "jwt"}:
        raise Forged(f"an ID token, but its type is {_type(token)[:32]!r}")
    _check_claims(token, expected, {"iss", "aud", "sub", "exp", "iat"})
    claims = token.claims
    _check_authorized_party(claims, expected)
    if nonce is not None and not _same(claims.get("nonce"), nonce):
        raise Forged("the nonce is not that of this browser")
    if "at_hash" in claims and not _same(claims["at_hash"], _half_hash(access_token, token)):
        raise Forged("at_hash is not that of the access token")
    if max_age is not None and not _is_recent(claims.get("auth_time"), expected.now - max_age):
        raise Forged("the person was signed in longer ago than max_age allows")
    return claims


def check_logout_token(value: str, keys: KeySet, expected: Expected) -> dict[str, Any]:
    """Return the claims of a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6).

    Raises:
        UnknownKey, Forged: it may not be believed.
    """
    token = _decoded(value, keys, expected)
    # Not every provider sets the type; another one than this says that it is something else.
    if _type(token) not in {"", "jwt", "logout+jwt"}:
        raise Forged(f"a logout token, but its type is {_type(token)[:32]!r}")
    _check_claims(token, expected, {"iss", "aud", "iat", "jti"})
    claims = token.claims
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise Forged("no logout token: the event is missing")
    if "nonce" in claims:
        raise Forged("no logout token: it has a nonce, like an ID token")
    if not any(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")):
        raise Forged("a logout token that does not say whom it is about")
    if not _is_recent(claims["iat"], expected.now - LOGOUT_SECONDS):
        raise Forged("a logout token from long ago")
    return claims


def _decoded(value: str, keys: KeySet, expected: Expected) -> Token:
    registry = Registry(algorithms=list(expected.algorithms), strict_check_header=False)
    try:
        return jwt.decode(value, keys, algorithms=list(expected.algorithms), registry=registry)
    except InvalidKeyIdError:
        raise UnknownKey("signed with a key that the provider has not published") from None
    except (JoseError, ValueError, TypeError) as error:
        raise Forged(f"signature or form: {type(error).__name__}") from None


def _check_claims(token: Token, expected: Expected, needed: set[str]) -> None:
    options: dict[str, ClaimsOption] = {name: {"essential": True} for name in needed}
    options["iss"] = {"essential": True, "value": expected.issuer}
    options["aud"] = {"essential": True, "value": expected.client_id}
    registry = JWTClaimsRegistry(now=expected.now, leeway=LEEWAY_SECONDS, **options)
    try:
        registry.validate(token.claims)
    except (JoseError, ValueError, TypeError) as error:
        raise Forged(str(error)[:200]) from None


def _check_authorized_party(claims: dict[str, Any], expected: Expected) -> None:
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise Forged("made for another client (azp)")


def _type(token: Token) -> str:
    found = token.header.get("typ", "")
    return str(found).lower().removeprefix("application/")


def _half_hash(value: str, token: Token) -> str:
    """Return the left half of a token's hash, by the hash of the signature (OpenID Connect Core 3.1.3.6)."""
    name = _HASHES.get(token.header["alg"][-3:], "sha512")
    digest = hashlib.new(name, value.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _is_recent(moment: object, since: int) -> bool:
    is_number = isinstance(moment, int | float) and not isinstance(moment, bool)
    return is_number and moment >= since - LEEWAY_SECONDS  # type: ignore[operator]


def _same(found: object, expected: str) -> bool:
    return isinstance(found, str) and hmac.compare_digest(found.encode(), expected.encode())
