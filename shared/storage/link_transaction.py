"""What both workers do to links, inside one transaction."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import bindparam, insert, select

from shared.domain.account import Account
from shared.domain.link import Link
from shared.domain.upgrade import Upgrade
from shared.metrics import Metrics
from shared.storage.base import LinkTransaction
from shared.storage.records import AuditEvent
from shared.storage.rows import account_from, audit_values, link_from, link_values, upgrade_from
from shared.storage.schema import accounts, audit_events, links, upgrades
from shared.storage.session import Session

_LINK = select(links).where(links.c.link_id == bindparam("link_id"))
_ACCOUNT = select(accounts).where(accounts.c.account_id == bindparam("account_id"))
_UPGRADE = select(upgrades).where(upgrades.c.request_id == bindparam("request_id"))

# Inline: nobody asks for the number of the event, and the workers may not even read it.
_AUDIT = insert(audit_events).inline()


class SqlLinkTransaction(LinkTransaction):
    """See the port."""

    def __init__(self, session: Session, metrics: Metrics) -> None:
        self._session = session
        self._metrics = metrics

    @property
    def now(self) -> int:
        """Return the database's time of this transaction."""
        return self._session.now

    async def link(self, link_id: str) -> Link | None:
        """Return a link as it is."""
        row = await self._session.first(_LINK, {"link_id": link_id})
        return None if row is None else link_from(row)

    async def swap_link(self, old: Link, new: Link) -> None:
        """Replace *old* by *new*."""
        await self._session.swap(links, link_values(old), link_values(new))
        if new.state is not old.state:
            self.count(new)

    def count(self, link: Link) -> None:
        """Count a link that came to its state, once that is committed."""
        age = self.now - link.requested_at
        self._session.then.append(partial(self._metrics.link_ages.observe, age, link.state))

    async def account(self, account_id: str) -> Account | None:
        """Return an account."""
        row = await self._session.first(_ACCOUNT, {"account_id": account_id})
        return None if row is None else account_from(row)

    async def upgrade(self, request_id: str) -> Upgrade | None:
        """Return auth_worker's word on an upgrade."""
        row = await self._session.first(_UPGRADE, {"request_id": request_id})
        return None if row is None else upgrade_from(row)

    async def audit(self, event: AuditEvent) -> None:
        """Record what happened, with the transaction's time."""
        await self._session.execute(_AUDIT, audit_values(event, at=self.now))
        self._session.then.append(partial(self._metrics.audited.add, event.kind))

    async def audit_all(self, events: Sequence[AuditEvent]) -> None:
        """Record several things that happened, at least one."""
        await self._session.execute_many(_AUDIT, [audit_values(event, at=self.now) for event in events])
        for event in events:
            self._session.then.append(partial(self._metrics.audited.add, event.kind))
