"""What auth_worker does to the rows of accounts that live on or end, inside one transaction."""

from dataclasses import asdict

from sqlalchemy import bindparam, delete, select

from shared.domain.link import Link, LinkState
from shared.storage.lifecycle import AccountCheck, Doubt, LifecycleTransaction, ToldEnd
from shared.storage.provider_transaction import SqlProviderTransaction
from shared.storage.rows import link_from
from shared.storage.schema import account_checks, links, sessions, told_ends

_CHECK = select(account_checks).where(account_checks.c.account_id == bindparam("account_id"))
_DELETE_CHECK = delete(account_checks).where(account_checks.c.account_id == bindparam("account_id"))
_TOLD_END = select(told_ends).where(told_ends.c.event_id == bindparam("event_id"))
# By the index on the expiry: only the links of the last minutes are looked at.
_SIGNED_IN = select(links).where(
    links.c.expires_at > bindparam("now"),
    links.c.state == LinkState.AUTHENTICATED.value,
    links.c.account_id == bindparam("account_id"),
)
_DELETE_SESSIONS = delete(sessions).where(sessions.c.account_id == bindparam("account_id"))


class SqlLifecycleTransaction(SqlProviderTransaction, LifecycleTransaction):
    """See the port."""

    async def account_check(self, account_id: str) -> AccountCheck | None:
        """Return where an account's check stands."""
        row = await self._session.first(_CHECK, {"account_id": account_id})
        return None if row is None else AccountCheck(**{**row, "doubt": Doubt(row["doubt"])})

    async def insert_account_check(self, check: AccountCheck) -> bool:
        """Insert the first check of an account; False if there is one already."""
        return await self._session.insert_new(account_checks, asdict(check))

    async def swap_account_check(self, old: AccountCheck, new: AccountCheck) -> None:
        """Replace *old* by *new*."""
        await self._session.swap(account_checks, asdict(old), asdict(new))

    async def delete_account_check(self, account_id: str) -> None:
        """Forget the check of an account."""
        await self._session.execute(_DELETE_CHECK, {"account_id": account_id})

    async def insert_told_end(self, told: ToldEnd) -> bool:
        """Record a message that an account has ended; False if it came before."""
        return await self._session.insert_new(told_ends, asdict(told))

    async def told_end(self, event_id: str) -> ToldEnd | None:
        """Return such a message."""
        row = await self._session.first(_TOLD_END, {"event_id": event_id})
        return None if row is None else ToldEnd(**row)

    async def signed_in_links(self, account_id: str) -> tuple[Link, ...]:
        """Return the links that an account has signed in to, and that are neither done nor over."""
        rows = await self._session.execute(_SIGNED_IN, {"account_id": account_id, "now": self.now})
        return tuple(link_from(row) for row in rows.mappings())

    async def delete_sessions(self, account_id: str) -> None:
        """Delete all sessions of an account."""
        await self._session.execute(_DELETE_SESSIONS, {"account_id": account_id})
