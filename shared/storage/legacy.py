"""The part of the store's port that is for households without tokens: sessions, and their upgrade to tokens."""

from dataclasses import dataclass
from typing import Protocol

from shared.domain.account import Account
from shared.domain.session import Session
from shared.domain.upgrade import Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """What a guarded call with a session id needs: whether the session still holds, and whose it is."""

    session: Session
    account: Account
    now: int


class LegacyReads(Protocol):
    """What a gateway may ask."""

    async def session(self, session_hash: str) -> SessionView | None:
        """Return a session and its account."""
        ...


class UpgradeReads(Protocol):
    """What both workers may ask."""

    async def upgrade(self, request_id: str) -> Upgrade | None:
        """Return auth_worker's word on an upgrade."""
        ...


class LegacyWrites(Protocol):
    """What auth_worker may do."""

    async def session(self, session_hash: str) -> Session | None:
        """Return a session as it is."""
        ...

    async def sessions_of(self, *, service: str, account_id: str, household_id: str) -> tuple[Session, ...]:
        """Return all sessions of an account in a household, in no order."""
        ...

    async def insert_session(self, session: Session) -> bool:
        """Insert a session; False if it was there already."""
        ...

    async def swap_session(self, old: Session, new: Session) -> None:
        """Replace *old* by *new*; nothing to do when they are the same object.

        Raises:
            Conflict: the row no longer has the version of *old*.
        """
        ...

    async def delete_session(self, session_hash: str) -> None:
        """Delete a session if it is there."""
        ...

    async def insert_upgrade(self, upgrade: Upgrade) -> bool:
        """Insert the word on an upgrade; False if it was there already."""
        ...
