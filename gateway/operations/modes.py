"""What each way of signing in has: the one table from mode to methods, and from what came with a call to its mode."""

from typing import Literal

from gateway.smapi.credentials import Credentials
from gateway.smapi.faults import MethodNotSupported
from shared.domain.errors import ReauthorizationNeeded
from shared.settings import Auth, ServiceSettings

Legacy = Literal["session_id", "stateless", "anonymous", "device_link"]

METHODS: dict[Auth, frozenset[str]] = {
    "link": frozenset(
        {"getAppLink", "getDeviceLinkCode", "getDeviceAuthToken", "refreshAuthToken", "getUserInfo"}
    ),
    "session_id": frozenset({"getSessionId", "getUserInfo"}),
    "stateless": frozenset({"getUserInfo"}),
    "anonymous": frozenset(),
}
"""Mode -> the methods about accounts that it has; every other method is about content, and every mode has it."""

_GOES_ON: dict[Legacy, Auth] = {"session_id": "session_id", "stateless": "stateless"}

ABOUT_ACCOUNTS = frozenset().union(*METHODS.values())


def check(method: str, settings: ServiceSettings) -> None:
    """Refuse a method that the service's mode does not have.

    Raises:
        ReauthorizationNeeded: a new session of a service that has moved on: Sonos then upgrades the household
            (docs.sonos.com, "getSessionId").
        MethodNotSupported: Sonos has no business calling this.
    """
    if method not in ABOUT_ACCOUNTS or method in METHODS[settings.auth]:
        return
    if method == "getSessionId" and "session_id" in settings.upgrade_from:
        raise ReauthorizationNeeded
    raise MethodNotSupported


def kind_of(credentials: Credentials, settings: ServiceSettings) -> Auth:
    """Return the mode by which a call is judged: the service's own.

    A service that has migrated goes on accepting the sessions and logins of households that have not: Sonos upgrades them
    one by one, when a player restarts. Nothing at all is no kind: who never had credentials has to get some.

    Raises:
        ReauthorizationNeeded: nothing came with the call, and the service has moved on from asking for nothing.
    """
    if settings.auth != "link" or credentials.token is not None:
        return settings.auth
    came = legacy_kind(credentials, settings)
    if came == "anonymous" and came in settings.upgrade_from:
        raise ReauthorizationNeeded
    return _GOES_ON.get(came, "link") if came in settings.upgrade_from else "link"


def legacy_kind(credentials: Credentials, settings: ServiceSettings) -> Legacy:
    """Return which kind of credentials of the past came with a call."""
    if credentials.token is not None:
        return "device_link"
    if credentials.session_id is not None:
        return "session_id"
    if credentials.username is None:
        return "anonymous"
    # Sonos upgrades a household with sessions by its name and password as well (docs.sonos.com, "Upgrade to OAuth").
    return "stateless" if "stateless" in settings.upgrade_from else "session_id"
