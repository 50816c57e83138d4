"""What comes as `Authorization: Bearer`: a key of the service's own back end, or a person's access token."""

import hashlib
import hmac
import re

from aiohttp import web

from gateway.api.answering import Refused
from shared.settings import Settings

LONGEST = 6144
"""Characters of a bearer, padding and all; some issuers' access tokens have several thousand."""

# RFC 6750, section 2.1.
_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9\-._~+/]+=*) *")


def bearer_of(request: web.Request) -> str | None:
    """Return what a request carries as its bearer, or None if that is nothing, too long, or more than one thing."""
    values = request.headers.getall("Authorization", ())
    match = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    # With its padding, of which there may be any amount.
    return match.group(1) if match and len(match.group(1)) <= LONGEST else None


def services_of_key(request: web.Request, settings: Settings) -> frozenset[str]:
    """Return the services that the request's key may ask for.

    Raises:
        Refused: there is no key, or none that the settings know.
    """
    digest = hashlib.sha256((bearer_of(request) or "").encode()).hexdigest()
    services: frozenset[str] | None = None
    for known in settings.api_keys.values():
        if hmac.compare_digest(digest, known.secret_sha256):
            services = frozenset(known.services)
    if services is None:
        raise Refused(401, "Send a key that the settings know, as `Authorization: Bearer KEY`.")
    return services


def permit(authorised: frozenset[str], service: str) -> None:
    """Refuse a key that is not for a service.

    Raises:
        Refused: it is not.
    """
    # One answer for a service of somebody else and for one that does not exist.
    if service not in authorised:
        raise Refused(403, "This key is not for that service.")
