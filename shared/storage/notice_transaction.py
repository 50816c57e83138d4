"""What the workers do with notices, inside one transaction."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select, update

from shared.domain.notice import Notice
from shared.storage.notices import NoticeTelling, NoticeWrites
from shared.storage.rows import notice_from, notice_values
from shared.storage.schema import notices
from shared.storage.session import Session

_ONE = select(notices).where(notices.c.notice_id == bindparam("notice_id"))
# What comes last is kept longest; of what waits, the next is told first.
_LATEST = (
    select(notices)
    .where(notices.c.expires_at > bindparam("now"))
    .order_by(notices.c.expires_at.desc())
    .limit(bindparam("limit"))
)
_UNTOLD = select(notices).where(notices.c.due_at > 0).order_by(notices.c.due_at).limit(bindparam("limit"))
_DUE = (
    select(notices)
    .where(notices.c.due_at <= bindparam("now"))
    .order_by(notices.c.due_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_CHANGE = update(notices).where(notices.c.notice_id == bindparam("which"))
_TOLD = _CHANGE.values(due_at=None, provider=None, subject=None)
_CHANGE_DUE = _CHANGE.values(due_at=bindparam("due"), attempts=bindparam("tries"))


class SqlNoticeWrites(NoticeWrites):
    """See the port."""

    _session: Session

    async def insert_notice(self, notice: Notice) -> None:
        """Write a notice, unless it is there."""
        await self._session.insert_new(notices, notice_values(notice))


class SqlNoticeTelling(NoticeTelling):
    """See the port."""

    _session: Session

    async def notice(self, notice_id: str) -> Notice | None:
        """Return a notice."""
        row = await self._session.first(_ONE, {"notice_id": notice_id})
        return None if row is None else notice_from(row)

    async def notices(self, *, only_untold: bool, limit: int) -> Sequence[Notice]:
        """Return notices."""
        statement, now = (_UNTOLD, {}) if only_untold else (_LATEST, {"now": self._session.now})
        rows = await self._session.execute(statement, {"limit": limit, **now})
        return [notice_from(row) for row in rows.mappings()]

    async def claim_notices(self, *, seconds: int, limit: int) -> Sequence[Notice]:
        """Return notices that are due, and put them off."""
        now = self._session.now
        rows = await self._session.execute(_DUE, {"now": now, "limit": limit})
        due = [notice_from(row) for row in rows.mappings()]
        for notice in due:
            await self.notice_due(notice.notice_id, seconds=seconds, attempts=notice.attempts)
        return due

    async def notice_told(self, notice_id: str) -> None:
        """Record that a notice was taken."""
        await self._session.execute(_TOLD, {"which": notice_id})

    async def notice_due(self, notice_id: str, *, seconds: int, attempts: int) -> bool:
        """Make a notice due in *seconds*."""
        values = {"which": notice_id, "due": self._session.now + seconds, "tries": attempts}
        return (await self._session.execute(_CHANGE_DUE, values)).rowcount == 1
