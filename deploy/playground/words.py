"""What the playground says: the buttons, and what each outcome means for the household."""

from dataclasses import dataclass
from typing import Literal

Standing = Literal["nothing", "pending", "linked", "stale", "revoked", "ended"]
"""How things stand for the household."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """Something to press."""

    act: str
    label: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Buttons that belong together."""

    title: str
    buttons: tuple[Button, ...]


GROUPS = (
    Group(
        title="Link",
        buttons=(
            Button(act="add", label="Add the service", about="getAppLink"),
            Button(act="poll", label="Poll", about="getDeviceAuthToken"),
        ),
    ),
    Group(
        title="Use",
        buttons=(
            Button(act="browse", label="Browse", about="getMetadata"),
            Button(act="expire", label="Let the token expire", about="1 h"),
            Button(act="refresh", label="Refresh", about="refreshAuthToken"),
        ),
    ),
    Group(
        title="End",
        buttons=(
            Button(act="revoke", label="Revoke", about="the link ends"),
            Button(act="reauthorize", label="Reauthorize", about="getAppLink"),
        ),
    ),
    Group(
        title="Trouble",
        buttons=(
            Button(act="break", label="Break the broker", about="all tabs"),
            Button(act="mend", label="Mend the broker", about="all tabs"),
        ),
    ),
)

BEGUN = {
    "add": (
        "Somebody adds the service in the Sonos app",
        (
            "Sonos asks for a link code. The gateway makes one that proves itself, tells auth_worker, and answers with the page "
            "on which the person signs in. It writes nothing: it cannot."
        ),
    ),
    "poll": ("Sonos asks whether it is done", ""),
    "browse": ("The person opens the service in the Sonos app", ""),
    "expire": ("An hour goes by", ""),
    "refresh": ("Sonos asks for a new token", ""),
    "revoke": ("The service ends the link", ""),
    "reauthorize": (
        "Sonos asks the person to sign in again",
        (
            "The same two calls as when the service was added, from the same household. What comes of it keeps its grant, and "
            "starts a new family of tokens."
        ),
    ),
    "break": ("The broker breaks", ""),
    "mend": ("The broker is back", ""),
}
"""Act -> title and first words of its scene."""

PERSON = {
    "link.login_submitted": (
        "The person signs in",
        (
            "What was typed crosses the bus sealed: auth_worker alone can open it, asks whoever knows the person, and writes "
            "who it was."
        ),
    ),
    "link.approved": (
        "The person allows it",
        (
            "token_worker turns the link into a grant, in one transaction, and leaves the pair sealed for the gateway. No token "
            "is stored: the grant's numbers make it again."
        ),
    ),
    "link.decline_requested": ("The person says no", "The link has ended, and the next poll says so."),
}
"""What happens on the pages in the other tab: kind of event -> title and words of its scene."""

AWAY = (
    "The broker is away, so nobody could finish this. ServiceUnavailable destroys nothing: Sonos keeps what it has, and asks "
    "again later."
)
FAULTS = {
    "Client.NOT_LINKED_RETRY": "Not yet. A poll is one read, and waits for nobody; Sonos asks again every five seconds.",
    "Client.NOT_LINKED_FAILURE": "This link has ended. Sonos tells the person that adding the service failed.",
    "Client.AuthTokenExpired": "The link has ended, so Sonos will ask the person to sign in again. Press Reauthorize.",
    "Server.ServiceUnavailable": "Not now. ServiceUnavailable destroys nothing: Sonos keeps what it has, and asks again.",
    "Client.TokenRefreshRequired": "The token was stale, and the new pair came inside the fault: one trip, nobody noticed.",
}
"""Fault -> what it means."""

HARMLESS = ("", "Client.NOT_LINKED_RETRY", "Client.TokenRefreshRequired")
"""Faults that are part of a good day, and no fault at all."""

TOUR = ("browse", "expire", "revoke", "break")
"""What is suggested to who is linked, in this order, once each."""

STATUS: dict[Standing, str] = {
    "nothing": "Nothing is linked. Begin with “Add the service”.",
    "pending": "Sonos waits. Sign in, and allow the link.",
    "linked": "Linked. Every call of this Sonos system carries a token.",
    "stale": "The token is over, and Sonos does not know. Browse, and watch it being refreshed.",
    "revoked": "The link has ended, and Sonos does not know. It learns with its next call: browse.",
    "ended": "The link has ended. The Sonos app asks the person to sign in again.",
}
