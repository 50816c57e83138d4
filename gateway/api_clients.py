"""Programs of the service's own that ask about tokens: who they are, and what they may."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from shared.settings import ApiClientSettings

LONGEST_SECRET = 1024
_NOBODYS_HASH = "0" * 64
"""Compared in place of an unknown client's; no secret is known to have it."""


class ClientRefused(Exception):
    """Nobody we know, or not with this secret."""


class TwoWays(Exception):
    """A request that authenticates in two ways at once (RFC 6749, section 2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClient:
    """A program that has proved who it is."""

    name: str
    settings: ApiClientSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offered:
    name: str
    secret: str = field(repr=False)


def authenticate(
    clients: Mapping[str, ApiClientSettings], *, authorization: str | None, form: Mapping[str, str]
) -> ApiClient:
    """Return who asks: by HTTP Basic, or by `client_id` and `client_secret` in the form (RFC 6749, section 2.3.1).

    An unknown client costs the same comparison as a wrong secret.

    Raises:
        ClientRefused: nobody, or the wrong secret.
        TwoWays: both ways at once.
    """
    offered = _offered(authorization, form)
    settings = clients.get(offered.name)
    expected = settings.secret_sha256 if settings else _NOBODYS_HASH
    given = hashlib.sha256(offered.secret.encode(errors="surrogatepass")).hexdigest()
    right = hmac.compare_digest(expected, given)
    if settings is None or not right:
        raise ClientRefused
    return ApiClient(name=offered.name, settings=settings)


def _offered(authorization: str | None, form: Mapping[str, str]) -> _Offered:
    if authorization is not None and "client_secret" in form:
        raise TwoWays
    if authorization is not None:
        return _basic(authorization)
    return _bounded(form.get("client_id", ""), form.get("client_secret", ""))


def _basic(authorization: str) -> _Offered:
    scheme, _, encoded = authorization.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise ClientRefused from None
    name, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise ClientRefused
    # Both were form-encoded before they were joined, so that a name may hold a colon.
    return _bounded(unquote_plus(name), unquote_plus(secret))


def _bounded(name: str, secret: str) -> _Offered:
    if len(secret) > LONGEST_SECRET:
        raise ClientRefused
    return _Offered(name=name, secret=secret)
