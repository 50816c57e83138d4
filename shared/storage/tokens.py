"""token_worker's store: grants, deliveries, and the deletion of what has expired."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace

from sqlalchemy import Column, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.dml import ReturningDelete

from shared.domain.grant import Grant
from shared.domain.revocation import Selection
from shared.metrics import Metrics
from shared.storage import selecting
from shared.storage.audit_transaction import SqlAuditChain
from shared.storage.base import Conflict, TokenStore, TokenTransaction
from shared.storage.bulk import swap_all, upsert_all
from shared.storage.direct import AskPlainly
from shared.storage.herds import Herds
from shared.storage.link_transaction import SqlLinkTransaction
from shared.storage.notice_transaction import SqlNoticeWrites
from shared.storage.records import Changes, Holders, SealedPair
from shared.storage.rows import grant_from, grant_values
from shared.storage.schema import (
    code_entries,
    deliveries,
    grants,
    known_places,
    links,
    notices,
    sessions,
    sign_in_tries,
    told_ends,
    typed_codes,
    upgrades,
    visits,
)
from shared.storage.session import begin
from shared.storage.sighting_transaction import SqlFirstUses
from shared.storage.visit_transaction import SqlHouseholdErasure
from shared.storage.vitals import SqlWatched

_GRANT = select(grants).where(grants.c.grant_id == bindparam("grant_id"))
_GRANT_OF = select(grants).where(
    grants.c.account_id == bindparam("account_id"),
    grants.c.household_id == bindparam("household_id"),
    grants.c.service == bindparam("service"),
)
_SELECTED = selecting.pages(select(grants).with_for_update())


def _oldest(key: Column[str], expires_at: Column[int]) -> ReturningDelete[tuple[str]]:
    """Return a DELETE, telling their keys, of the `limit` rows that expired longest ago, before `before`.

    Rows that somebody else is busy with are left for the next time, so that two retentions share the work and no handler
    waits for either. The choice stands apart from the DELETE, since PostgreSQL might run a subquery with LIMIT more than once.
    """
    doomed = (
        select(key)
        .where(expires_at < bindparam("before"))
        .order_by(expires_at)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
        .cte("doomed")
    )
    return delete(key.table).where(key.in_(select(doomed.c[key.name]))).returning(key)


_DELETE_DELIVERIES = _oldest(deliveries.c.delivery_id, deliveries.c.expires_at)
_DELETE_SESSIONS = _oldest(sessions.c.session_hash, sessions.c.expires_at)
_DELETE_VISITS = _oldest(visits.c.visit_hash, visits.c.expires_at)
_DELETE_UPGRADES = _oldest(upgrades.c.request_id, upgrades.c.expires_at)
_DELETE_TYPED_CODES = _oldest(typed_codes.c.typed_id, typed_codes.c.expires_at)
_DELETE_CODE_ENTRIES = _oldest(code_entries.c.entry_id, code_entries.c.expires_at)
_DELETE_TOLD_ENDS = _oldest(told_ends.c.event_id, told_ends.c.expires_at)
_DELETIONS = (
    _DELETE_DELIVERIES,
    _DELETE_SESSIONS,
    _DELETE_VISITS,
    _DELETE_UPGRADES,
    _DELETE_TYPED_CODES,
    _DELETE_CODE_ENTRIES,
    _DELETE_TOLD_ENDS,
    _oldest(sign_in_tries.c.try_id, sign_in_tries.c.expires_at),
    _oldest(known_places.c.place, known_places.c.expires_at),
    _oldest(notices.c.notice_id, notices.c.expires_at),
)
_DELETE_LINKS = _oldest(links.c.link_id, links.c.expires_at)


class SqlTokenTransaction(
    SqlNoticeWrites, SqlAuditChain, SqlHouseholdErasure, SqlFirstUses, SqlLinkTransaction, TokenTransaction
):
    """See the port."""

    async def grant(self, grant_id: str) -> Grant | None:
        """Return a grant."""
        row = await self._session.first(_GRANT, {"grant_id": grant_id})
        return None if row is None else grant_from(row)

    async def grant_of(self, *, service: str, account_id: str, household_id: str) -> Grant | None:
        """Return the grant of an account in a household."""
        key = {"service": service, "account_id": account_id, "household_id": household_id}
        row = await self._session.first(_GRANT_OF, key)
        return None if row is None else grant_from(row)

    async def grants(self, selection: Selection, *, after: str = "", limit: int) -> tuple[Grant, ...]:
        """Return selected grants by id, locked."""
        parameters = selecting.parameters(selection, after=after, limit=limit)
        rows = await self._session.execute(_SELECTED[selection.scope], parameters)
        return tuple(grant_from(row) for row in rows.mappings())

    async def insert_grant(self, grant: Grant) -> None:
        """Insert a new grant."""
        if not await self._session.insert_new(grants, grant_values(grant)):
            raise Conflict("the account has a grant in this household already")

    async def swap_grant(self, old: Grant, new: Grant) -> None:
        """Replace *old* by *new*."""
        await self._session.swap(grants, grant_values(old), grant_values(new))

    async def put_delivery(self, *, delivery_id: str, service: str, sealed: bytes, expires_at: int) -> None:
        """Write a sealed pair for the gateways, over an earlier one of the same id."""
        delivery = SealedPair(delivery_id=delivery_id, service=service, sealed=sealed, expires_at=expires_at)
        await self.put_deliveries([delivery])

    async def swap_grants(self, swaps: Sequence[tuple[Grant, Grant]]) -> None:
        """Replace many grants."""
        values = [(grant_values(old), grant_values(new)) for old, new in swaps]
        await swap_all(self._session, grants, values)

    async def put_deliveries(self, pairs: Sequence[SealedPair]) -> None:
        """Write many sealed pairs."""
        rows = [asdict(pair) for pair in pairs]
        await upsert_all(self._session, deliveries, rows, key="delivery_id", brought=("sealed", "expires_at"))

    async def delete_expired(self, *, links_before: int, limit: int) -> int:
        """Delete what has expired of `_DELETIONS`, and links before *links_before*."""
        # All of these are over in the very second of their expiry.
        expired = {"before": self.now + 1, "limit": limit}
        gone = 0
        for deletion in _DELETIONS:
            gone += len((await self._session.execute(deletion, expired)).all())
        # The attempts go with their link, by the foreign key.
        gone_links = await self._session.execute(_DELETE_LINKS, {"before": links_before, "limit": limit})
        return gone + len(gone_links.all())


class SqlTokenStore(SqlWatched, TokenStore):
    """See the port."""

    def __init__(self, engine: AsyncEngine, metrics: Metrics, *, pgbouncer: bool = False) -> None:
        self._engine = engine
        self._metrics = metrics
        self._herds = Herds(engine, pgbouncer=pgbouncer)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[TokenTransaction]:
        """Open a transaction."""
        async with begin(self._engine) as session:
            yield SqlTokenTransaction(session, self._metrics)

    async def holders(self, grant_ids: Collection[str]) -> Holders:
        """Return grants with their accounts."""
        return await self._herds.holders(grant_ids)

    async def write(self, changes: Changes) -> None:
        """Write what came of them, in an order that is the same for all, so that two workers wait for each other and not in a circle."""
        ordered = replace(
            changes,
            swaps=sorted(changes.swaps, key=lambda swap: swap[0].grant_id),
            deliveries=sorted(changes.deliveries, key=lambda pair: pair.delivery_id),
        )
        try:
            await self._herds.write(ordered)
        except AskPlainly:
            async with self.transaction() as transaction:
                await transaction.swap_grants(ordered.swaps)
                await transaction.put_deliveries(ordered.deliveries)
                for grant_id in ordered.first_used:
                    await transaction.note_first_use(grant_id)
                for event in ordered.audits:
                    await transaction.audit(event)
                for notice in ordered.notices:
                    await transaction.insert_notice(notice)

    def close(self) -> None:
        """Give up the connection that is kept."""
        self._herds.close()
