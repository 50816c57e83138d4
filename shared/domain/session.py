"""Sessions: what a household has that signs in with a name and a password, and the rules of their lives.

The session id is a random value that the gateway makes and Sonos brings back; stored is its hash. A session ends when it was
unused for too long, when it is too old, or when its account opens more in the same household than it may.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.domain import errors

RANDOM_BYTES = 20
"""Unguessable bytes in a session id."""
_TOUCHES = 24
"""How often within its idle time a session in constant use is recorded as used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """How long sessions live, in seconds, and how many an account may have in one household."""

    idle: int
    absolute: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One row of `sessions`. Times are seconds since the epoch by the database's clock."""

    session_hash: str
    """What `hash_of` returned; the session id itself is never stored."""
    service: str
    account_id: str
    household_id: str
    """What the header said: a household, else a device, else empty."""
    created_at: int
    used_at: int
    expires_at: int
    """The earlier end of both lifetimes, so that retention finds it by an index."""
    version: int = 1


def new_id(random: bytes) -> str:
    """Return a session id of 33 characters of ``[a-z2-7]``, first a letter; Sonos takes 128 at most.

    Args:
        random: `RANDOM_BYTES` unguessable bytes.
    """
    return "s" + base64.b32encode(random).decode().lower()


def hash_of(session_id: str, *, service: str) -> str:
    """Return the key of a session's row: SHA-256 in hex. It needs no secret, since nobody can guess 160 bits."""
    return hashlib.sha256(f"session\0{service}\0{session_id}".encode()).hexdigest()


def opened(
    *, session_hash: str, service: str, account_id: str, household_id: str, rules: SessionRules, now: int
) -> Session:
    """Return a new session."""
    return Session(
        session_hash=session_hash,
        service=service,
        account_id=account_id,
        household_id=household_id,
        created_at=now,
        used_at=now,
        expires_at=now + min(rules.idle, rules.absolute),
    )


def surplus(sessions: Sequence[Session], rules: SessionRules) -> tuple[Session, ...]:
    """Return the sessions, of one account in one household, that have to end to make room for one more: the oldest."""
    oldest_first = sorted(sessions, key=lambda session: (session.used_at, session.session_hash))
    return tuple(oldest_first[: max(0, len(oldest_first) - rules.most + 1)])


def check_usable(session: Session | None, *, now: int) -> Session:
    """Return a session that lives.

    Raises:
        SessionUnknown: there is none, or its time is over.
    """
    if session is None or now >= session.expires_at:
        raise errors.SessionUnknown
    return session


def is_worth_telling(session: Session, *, rules: SessionRules, now: int) -> bool:
    """Tell whether a use has to be recorded: not each one, but often enough that no session in use goes idle."""
    return now >= session.used_at + rules.idle // _TOUCHES


def used(session: Session, *, rules: SessionRules, now: int) -> Session:
    """Record a use; the same object if that is known, or comes too late: an ended session does not come back."""
    if now <= session.used_at or now >= session.expires_at:
        return session
    expires_at = min(now + rules.idle, session.created_at + rules.absolute)
    return replace(session, used_at=now, expires_at=expires_at, version=session.version + 1)
