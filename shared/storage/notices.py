"""The part of the port that is about what the service is told: token_worker writes notices, auth_worker tells them."""

from collections.abc import Sequence
from typing import Protocol

from shared.domain.notice import Notice


class NoticeWrites(Protocol):
    """What token_worker may do."""

    async def insert_notice(self, notice: Notice) -> None:
        """Write a notice, unless it is there."""
        ...


class NoticeTelling(Protocol):
    """What auth_worker may do."""

    async def notice(self, notice_id: str) -> Notice | None:
        """Return a notice."""
        ...

    async def notices(self, *, only_untold: bool, limit: int) -> Sequence[Notice]:
        """Return the latest notices, the last one first; or those that nobody took yet, the next one first."""
        ...

    async def claim_notices(self, *, seconds: int, limit: int) -> Sequence[Notice]:
        """Return notices that are due, as they were, and make them due again in *seconds*: nobody else gets them until then."""
        ...

    async def notice_told(self, notice_id: str) -> None:
        """Record that a notice was taken, and forget whose it was if the account is gone."""
        ...

    async def notice_due(self, notice_id: str, *, seconds: int, attempts: int) -> bool:
        """Make a notice due in *seconds*; False if there is none."""
        ...
