"""What the service is told of: its kinds, under which id, and when to try again.

An id says what happened to what, so that handling an event twice tells the same thing under the same id, and whoever is told twice can
see it.
"""

from dataclasses import dataclass
from enum import StrEnum


class NoticeKind(StrEnum):
    """What happened."""

    LINKED = "link.linked"
    """A household was linked."""
    REAUTHORIZATION_NEEDED = "grant.reauthorization_needed"
    """A household came back after a lifetime was over, and was told to sign in again."""
    REVOKED = "grant.revoked"
    """A household was unlinked: by the person, the service, or an account that ended. `reason` says by whom."""
    THEFT_SUSPECTED = "token.theft_suspected"
    """An old token came back long after its successor was in use."""
    ERASED = "account.erased"
    """An account was deleted with all that hung on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One row of `notices`."""

    notice_id: str
    kind: NoticeKind
    service: str
    account_id: str | None
    """None where the account is gone; `provider` and `subject` say then whose it was."""
    household_id: str = ""
    grant_id: str = ""
    hardware: str = ""
    """What the device that asked told about itself."""
    app_name: str = ""
    provider: str | None = None
    subject: str | None = None
    reason: str | None = None
    at: int
    """Seconds since the epoch, by the database's clock; so are `due_at` and `expires_at`."""
    due_at: int | None
    """When it is told next, if nobody did so meanwhile; None once it was taken."""
    attempts: int = 0
    """How often it was told in vain."""
    expires_at: int


FIRST_TELLING = 60
"""Seconds that the event which tells of a notice has, before the notice is told without it."""
LONGEST_WAIT = 6 * 3600
"""Seconds between two tries to tell, at most."""


def notice_id(kind: NoticeKind, *what: str | int) -> str:
    """Return the id of the notice that this happened to *what*."""
    return ".".join((kind.value.partition(".")[2], *map(str, what)))


def wait(attempts: int) -> int:
    """Return the seconds to wait after so many tries in vain, one or more: two, and twice as long each time."""
    return min(2 << min(attempts - 1, 16), LONGEST_WAIT)
