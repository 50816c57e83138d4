"""How the audit log is read, sealed and shortened, inside one transaction."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import bindparam, delete, select

from shared.domain.audit_chain import Recorded, Seal
from shared.storage.audits import AuditChain
from shared.storage.schema import audit_events, audit_seals
from shared.storage.session import Session

_LAST = select(audit_seals).order_by(audit_seals.c.seal_id.desc()).limit(1)
_SEALS = (
    select(audit_seals)
    .where(audit_seals.c.seal_id > bindparam("after"))
    .order_by(audit_seals.c.seal_id)
    .limit(bindparam("limit"))
)
_RECORDED = (
    select(audit_events)
    .where(
        audit_events.c.event_id > bindparam("after"),
        audit_events.c.event_id <= bindparam("until"),
        audit_events.c.at < bindparam("before"),
    )
    .order_by(audit_events.c.event_id)
    .limit(bindparam("limit"))
)
# By id, which is their order in time but for transactions that ran beside each other; an index on times would serve this alone.
_OLDEST = (
    select(audit_events.c.event_id, audit_events.c.at)
    .where(audit_events.c.event_id <= bindparam("until"))
    .order_by(audit_events.c.event_id)
    .limit(bindparam("limit"))
    .cte("oldest")
)
_DELETE = (
    delete(audit_events)
    .where(audit_events.c.event_id.in_(select(_OLDEST.c.event_id).where(_OLDEST.c.at < bindparam("before"))))
    .returning(audit_events.c.event_id)
)
_ALL = 2**62


class SqlAuditChain(AuditChain):
    """See the port."""

    _session: Session

    async def last_seal(self) -> Seal | None:
        """Return the last seal."""
        row = await self._session.first(_LAST)
        return None if row is None else Seal(**row)

    async def insert_seal(self, seal: Seal) -> bool:
        """Add a seal."""
        return await self._session.insert_new(audit_seals, asdict(seal))

    async def seals(self, *, after: int, limit: int) -> Sequence[Seal]:
        """Return seals in order."""
        rows = await self._session.execute(_SEALS, {"after": after, "limit": limit})
        return [Seal(**row) for row in rows.mappings()]

    async def recorded(
        self, *, after: int, until: int | None = None, before: int | None = None, limit: int
    ) -> Sequence[Recorded]:
        """Return events by id."""
        bounds = {"after": after, "until": until or _ALL, "before": before or _ALL, "limit": limit}
        rows = await self._session.execute(_RECORDED, bounds)
        return [Recorded(**row) for row in rows.mappings()]

    async def delete_recorded(self, *, until: int, before: int, limit: int) -> int:
        """Delete the oldest events."""
        bounds = {"until": until, "before": before, "limit": limit}
        return len((await self._session.execute(_DELETE, bounds)).all())
