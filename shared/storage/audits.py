"""The part of the port that is about the audit log as a chain: token_worker seals it, anybody with its rows can verify it."""

from collections.abc import Sequence
from typing import Protocol

from shared.domain.audit_chain import Recorded, Seal


class AuditChain(Protocol):
    """What token_worker may do."""

    async def last_seal(self) -> Seal | None:
        """Return the last seal; None before the first."""
        ...

    async def insert_seal(self, seal: Seal) -> bool:
        """Add a seal; False if another worker was first."""
        ...

    async def seals(self, *, after: int, limit: int) -> Sequence[Seal]:
        """Return seals with numbers greater than *after*, in order."""
        ...

    async def recorded(
        self, *, after: int, until: int | None = None, before: int | None = None, limit: int
    ) -> Sequence[Recorded]:
        """Return events by id: greater than *after*, up to *until*, older than *before*; at most *limit*."""
        ...

    async def delete_recorded(self, *, until: int, before: int, limit: int) -> int:
        """Delete the oldest events, up to the id *until* and from before *before*; return how many went, at most *limit*."""
        ...
