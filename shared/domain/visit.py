"""Visits: a person who has signed in on the household page, and the rules of how long that lasts.

A visit is opened with a secret that the gateway makes and the browser keeps in a cookie; stored is its hash. One kind lets a person
look around, and ends when it was idle for too long. The other stands for a fresh proof of who somebody is: for minutes, and for one act.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.domain import errors

IDLE = 30 * 60
"""Seconds without a request after which a person has left."""
ABSOLUTE = 12 * 3600
"""Seconds after which every visit is over."""
PROOF = 5 * 60
"""Seconds for which signing in once more counts as just now."""
ERASING = 24 * 3600
"""Seconds for which an account that is being erased may be named by it."""
REFUSED = 10 * 60
"""Seconds for which it is known that a sign-in was refused, and why."""
_TOUCHES = 10
"""How often within its idle time a visit under way is recorded as used."""


class Purpose(StrEnum):
    """What a person signs in for."""

    HOUSEHOLD = "household"
    """To see what is linked, and to unlink."""
    ERASE = "erase"
    """To erase the account: proof that it is really them, right now."""


class VisitOutcome(StrEnum):
    """How a sign-in was judged."""

    OPEN = "open"
    REFUSED = "refused"
    """Name and password do not belong together."""
    NOT_ALLOWED = "not_allowed"
    """The provider knows the person, and says that this account may not be used here."""
    UNAVAILABLE = "unavailable"
    """The identity provider could not be asked."""
    INCOMPLETE = "incomplete"
    """What came back from the identity provider proves nothing: used up, too old, or not meant for this browser."""
    LIMITED = "limited"
    """Nobody has looked: too many wrong passwords came before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One row of `visits`. Times are seconds since the epoch by the database's clock."""

    visit_hash: str
    """What `hash_of` returned; the secret itself is never stored."""
    service: str
    purpose: Purpose
    outcome: VisitOutcome
    account_id: str | None
    opened_at: int
    used_at: int
    expires_at: int
    """The earlier end of all lifetimes, so that retention finds it by an index."""
    version: int = 1


def hash_of(secret: str, *, service: str, purpose: Purpose) -> str:
    """Return the key of a visit's row, SHA-256 in hex: a secret opens one purpose of one service, and cannot be guessed."""
    return hashlib.sha256(f"visit\0{service}\0{purpose}\0{secret}".encode()).hexdigest()


def opened(*, visit_hash: str, service: str, purpose: Purpose, account_id: str, now: int) -> Visit:
    """Return the visit of somebody who was let in."""
    lifetime = IDLE if purpose is Purpose.HOUSEHOLD else PROOF
    return Visit(
        visit_hash=visit_hash,
        service=service,
        purpose=purpose,
        outcome=VisitOutcome.OPEN,
        account_id=account_id,
        opened_at=now,
        used_at=now,
        expires_at=now + lifetime,
    )


def refused(*, visit_hash: str, service: str, purpose: Purpose, outcome: VisitOutcome, now: int) -> Visit:
    """Return the visit of somebody who was not let in: it only says why."""
    return Visit(
        visit_hash=visit_hash,
        service=service,
        purpose=purpose,
        outcome=outcome,
        account_id=None,
        opened_at=now,
        used_at=now,
        expires_at=now + REFUSED,
    )


def is_open(visit: Visit | None, *, now: int) -> bool:
    """Tell whether a visit lets somebody in."""
    return visit is not None and visit.outcome is VisitOutcome.OPEN and now < visit.expires_at


def check_may_erase(visit: Visit | None, *, now: int) -> tuple[Visit, str]:
    """Return a visit that may erase an account, and the account.

    Raises:
        VisitOver: it was not opened for that, or not just now.
    """
    if (
        visit is None
        or not is_open(visit, now=now)
        or visit.purpose is not Purpose.ERASE
        or not visit.account_id
    ):
        raise errors.VisitOver
    return visit, visit.account_id


def erasing(visit: Visit, *, now: int) -> Visit:
    """Let a proof that was accepted hold until the erasing is done, however often it has to be begun again."""
    if visit.expires_at > now + PROOF:
        return visit
    return replace(visit, expires_at=now + ERASING, version=visit.version + 1)


def is_worth_telling(visit: Visit, *, now: int) -> bool:
    """Tell whether a use has to be recorded: not each one, but often enough that no visit under way goes idle."""
    return visit.purpose is Purpose.HOUSEHOLD and now >= visit.used_at + IDLE // _TOUCHES


def used(visit: Visit, *, now: int) -> Visit:
    """Record a use; the same object if that is known, or changes nothing: what has ended does not come back."""
    if visit.purpose is not Purpose.HOUSEHOLD or not is_open(visit, now=now) or now <= visit.used_at:
        return visit
    expires_at = min(now + IDLE, visit.opened_at + ABSOLUTE)
    return replace(visit, used_at=now, expires_at=expires_at, version=visit.version + 1)
