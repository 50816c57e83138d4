"""Who a request says it is from: where a token, a session id, a password or a household may be found."""

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element

import msgspec

from gateway.smapi.document import local_name, value_of
from gateway.smapi.faults import LoginUnauthorized, MalformedCall


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a request carries besides its arguments; None where it carries nothing, or an empty element.

    Nothing here has been checked, and `household_id` and `device_id` are what anybody may claim. What opens
    anything is kept out of repr.
    """

    token: str | None = None
    key: str | None = None
    household_id: str | None = None
    device_id: str | None = None
    session_id: str | None = None
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(household_id={self.household_id!r}, device_id={self.device_id!r})"


# Sonos documentation, "getDeviceAuthToken": a token and its key have at most 2048 characters.
MAX_TOKEN = 2048

# Where each value stands in the SOAP header, and how long it may be (Sonos WSDL 1.19.6). Names go without
# namespace: node-soap clients send credentials in none. What is not listed is skipped, whatever it holds:
# SoCo 0.32 sends an empty context inside credentials, players a deviceProvider and perhaps a zonePlayerId and
# a deviceCert.
_Places = Mapping[str, "int | _Places"]
_PLACES: _Places = {
    "credentials": {
        "deviceId": 255,
        "sessionId": 128,
        "login": {"username": 128, "password": 128},
        "loginToken": {"token": MAX_TOKEN, "key": MAX_TOKEN, "householdId": 255},
    }
}

# RFC 6750, section 2.1.
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def read_credentials(header: Element | None, authorization: str | None) -> Credentials:
    """The credentials of a request, from its SOAP header and its Authorization header.

    A token arrives in `credentials/loginToken/token`, or as `Authorization: Bearer` where the service has
    that capability (then loginToken often has a householdId alone), or in both.

    Raises:
        MalformedCall: an element occurs twice, holds other elements or is too long, or a bearer token could
            not be one.
        LoginUnauthorized: two tokens that differ, or two kinds of credentials. Whoever stands behind this
            gateway might read the other one.
    """
    return judged(collected(header), authorization)


def collected(header: Element | None) -> dict[str, str | None]:
    """Each value in the SOAP header by its name, None where the element is empty or holds others.

    Raises:
        MalformedCall: as above.
    """
    found: dict[str, str | None] = {}
    if header is not None:
        _collect(header, _PLACES, found)
    return found


def judged(found: Mapping[str, str | None], authorization: str | None) -> Credentials:
    """What was `collected` together with an Authorization header; raises as above."""
    bearer = _bearer(authorization) if authorization else None
    token = found.get("token") or bearer
    if bearer is not None and token != bearer:
        raise LoginUnauthorized("Two tokens that differ")
    session_id, username = found.get("sessionId"), found.get("username")
    if (token, session_id, username).count(None) < 2:
        raise LoginUnauthorized("Credentials of two kinds")
    return Credentials(
        token=token,
        key=found.get("key"),
        household_id=found.get("householdId"),
        device_id=found.get("deviceId"),
        session_id=session_id,
        username=username,
        password=found.get("password"),
    )


def _limits(places: _Places) -> dict[str, int]:
    limits: dict[str, int] = {}
    for name, place in places.items():
        limits |= {name: place} if isinstance(place, int) else _limits(place)
    return limits


LIMITS: Mapping[str, int] = _limits(_PLACES)
"""Name of a value in the SOAP header -> the most characters it may have."""


def _collect(element: Element, places: _Places, found: dict[str, str | None]) -> None:
    for child in element:
        name = local_name(child)
        place = places.get(name)
        if place is None:
            continue
        if name in found:
            raise MalformedCall("An element stands in the credentials twice")
        if isinstance(place, int):
            # White space may be part of a password; around everything else it is somebody's indentation.
            found[name] = value_of(child, limit=place, strip=name != "password")
        else:
            found[name] = None
            _collect(child, place, found)


def _bearer(authorization: str) -> str | None:
    scheme, _, rest = authorization.strip().partition(" ")
    token = rest.strip()
    # Another scheme belongs to a proxy, not to SMAPI; an empty token is none.
    if scheme.lower() != "bearer" or not token:
        return None
    if len(token) > MAX_TOKEN or not _BEARER_TOKEN.fullmatch(token):
        raise MalformedCall("The bearer token could not be one")
    return token
