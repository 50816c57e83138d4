"""auth_worker's store: accounts, links, and how sign-ins were judged."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.domain.account import Account, AccountStatus
from shared.domain.limits import Counted, Tries
from shared.domain.link import Link, LinkState
from shared.domain.session import Session
from shared.domain.typed_code import GUESS_WINDOW
from shared.domain.upgrade import Upgrade
from shared.metrics import Metrics
from shared.storage.base import AuthStore, AuthTransaction
from shared.storage.bulk import insert_all
from shared.storage.codes import CodeEntry, EntryOutcome, Guesses, TypedCode
from shared.storage.expressions import Keys, is_one_of, now_seconds
from shared.storage.guesses import GUESSES, guesses_from
from shared.storage.lifecycle_transaction import SqlLifecycleTransaction
from shared.storage.notice_transaction import SqlNoticeTelling
from shared.storage.records import LocalUser, LoginAttempt
from shared.storage.rows import (
    account_from,
    account_values,
    attempt_from,
    code_entry_from,
    code_entry_values,
    link_from,
    link_values,
    local_user_from,
    local_user_values,
    session_from,
    session_values,
    typed_code_values,
    upgrade_values,
)
from shared.storage.schema import (
    accounts,
    code_entries,
    known_places,
    links,
    local_users,
    login_attempts,
    sessions,
    sign_in_tries,
    typed_codes,
    upgrades,
)
from shared.storage.session import begin
from shared.storage.sighting_transaction import SqlSightingWrites
from shared.storage.tried import KEYS, TRIES, parameters, tries_from
from shared.storage.tries import TryOutcome
from shared.storage.visit_transaction import SqlHouseholdWrites
from shared.storage.vitals import SqlWatched
from shared.storage.writes import upsert

_ATTEMPTS = (
    select(login_attempts)
    .where(login_attempts.c.link_id == bindparam("link_id"))
    .order_by(login_attempts.c.attempt_id)
)
_ASKED_FOR = select(links).where(
    is_one_of(links.c.household_id, bindparam("ids", type_=Keys)),
    links.c.state == LinkState.REQUESTED.value,
    links.c.expires_at > now_seconds(),
)
_TRY = select(sign_in_tries).where(sign_in_tries.c.try_id == bindparam("try_id"))
_END_TRY = update(sign_in_tries).where(
    sign_in_tries.c.try_id == bindparam("ended"), sign_in_tries.c.outcome.is_(None)
)
_FORGET_SECONDS = 600
"""How long a try that does not count stays, for a redelivery."""
_SHORT_LIVED = {"outcome": bindparam("new_outcome"), "expires_at": now_seconds() + _FORGET_SECONDS}
_END_TRIES = {
    TryOutcome.REFUSED: _END_TRY.values(outcome=bindparam("new_outcome")),
    # Only the account's other tries are compared with it.
    TryOutcome.REPEATED: _END_TRY.values(_SHORT_LIVED | dict.fromkeys(KEYS[1:])),
    TryOutcome.LIMITED: _END_TRY.values(_SHORT_LIVED | dict.fromkeys(KEYS)),
    TryOutcome.OVER: _END_TRY.values(_SHORT_LIVED | dict.fromkeys(KEYS)),
}
_LOCAL_USERS = select(local_users).where(local_users.c.service == bindparam("service"))
_LOCAL_USER = _LOCAL_USERS.where(local_users.c.name == bindparam("name"))
_SET_STATUS = (
    update(accounts)
    .where(accounts.c.account_id == bindparam("id_of_account"))
    .values(status=bindparam("new_status"))
)

_SESSION = select(sessions).where(sessions.c.session_hash == bindparam("session_hash"))
_SESSIONS_OF = select(sessions).where(
    sessions.c.account_id == bindparam("account_id"),
    sessions.c.household_id == bindparam("household_id"),
    sessions.c.service == bindparam("service"),
)
_DELETE_SESSION = delete(sessions).where(sessions.c.session_hash == bindparam("session_hash"))


_ACCOUNT_OF = select(accounts).where(
    accounts.c.service == bindparam("service"),
    accounts.c.provider == bindparam("provider"),
    accounts.c.subject == bindparam("subject"),
)
_TYPED_CODE = select(typed_codes.c.typed_id).where(
    is_one_of(typed_codes.c.typed_id, bindparam("ids", type_=Keys)), typed_codes.c.expires_at > now_seconds()
)
_ENTRY = select(code_entries).where(code_entries.c.entry_id == bindparam("entry_id"))
_JUDGE = (
    update(code_entries)
    .where(code_entries.c.entry_id == bindparam("judged"), code_entries.c.outcome.is_(None))
    .values(outcome=bindparam("new_outcome"), typed_id=bindparam("new_typed_id"))
)


class SqlAuthTransaction(
    SqlHouseholdWrites, SqlLifecycleTransaction, SqlNoticeTelling, SqlSightingWrites, AuthTransaction
):
    """See the port."""

    async def insert_link(self, link: Link) -> bool:
        """Insert a link; False if it was there already."""
        is_new = await self._session.insert_new(links, link_values(link))
        if is_new:
            self.count(link)
        return is_new

    async def insert_typed_code(self, code: TypedCode) -> bool:
        """Give a link a short name; False if a link has that name, or had it a moment ago."""
        return await self._session.insert_new(typed_codes, typed_code_values(code))

    async def typed_code(self, typed_ids: Sequence[str]) -> str | None:
        """Return the id, among those, of a typed code that is live."""
        found = await self._session.execute(_TYPED_CODE, {"ids": list(typed_ids)})
        return found.scalars().first()

    async def insert_code_entry(self, entry: CodeEntry) -> bool:
        """Record that a code was typed; False if this entry was recorded before."""
        values = code_entry_values(entry, expires_at=entry.entered_at + GUESS_WINDOW)
        return await self._session.insert_new(code_entries, values)

    async def code_entry(self, entry_id: str) -> CodeEntry | None:
        """Return an entry."""
        row = await self._session.first(_ENTRY, {"entry_id": entry_id})
        return None if row is None else code_entry_from(row)

    async def judge_code_entry(self, entry_id: str, outcome: EntryOutcome, typed_id: str | None) -> None:
        """Record how an entry was judged; the first judgement stays."""
        judged = {"judged": entry_id, "new_outcome": outcome.value, "new_typed_id": typed_id}
        await self._session.execute(_JUDGE, judged)

    async def guesses(self, *, browser: str, network: str) -> Guesses:
        """Return which guesses of a browser, and of its network, count now."""
        found = await self._session.execute(GUESSES, {"browser": browser, "network": network})
        return guesses_from(found.all())

    async def insert_links(self, new: Sequence[Link]) -> frozenset[str]:
        """Insert links, and return the ids of those that were not there already."""
        inserted = await insert_all(self._session, links, [link_values(link) for link in new])
        for link in new:
            if link.link_id in inserted:
                self.count(link)
        return inserted

    async def links_asked_for(self, household_ids: Sequence[str]) -> tuple[Link, ...]:
        """Return the links of households that nobody has signed in to yet, and that have not expired."""
        rows = await self._session.execute(_ASKED_FOR, {"ids": list(household_ids)})
        return tuple(link_from(row) for row in rows.mappings())

    async def tries(self, counted: Counted, *, other_than: str = "") -> Tries:
        """Return what counts under these keys now, but for one try."""
        found = await self._session.execute(TRIES, parameters(counted, other_than))
        return tries_from(found.all())

    async def insert_try(self, try_id: str, *, service: str, counted: Counted, memory: int) -> bool:
        """Record that a password was offered; False if this try was recorded before."""
        now = self._session.now
        values = {
            "try_id": try_id,
            "service": service,
            **{key: getattr(counted, key) for key in KEYS},
            "tag": counted.tag,
            "outcome": None,
            "tried_at": now,
            "expires_at": now + memory,
        }
        return await self._session.insert_new(sign_in_tries, values)

    async def try_outcome(self, try_id: str) -> TryOutcome | None:
        """Return how a try ended; None while it has not."""
        row = await self._session.first(_TRY, {"try_id": try_id})
        return None if row is None or row["outcome"] is None else TryOutcome(row["outcome"])

    async def end_try(self, try_id: str, outcome: TryOutcome) -> None:
        """Record how a try ended; the first word stays."""
        await self._session.execute(_END_TRIES[outcome], {"ended": try_id, "new_outcome": outcome.value})

    async def know_places(self, places: Sequence[str], *, service: str, seconds: int) -> None:
        """Remember where an account was signed in to just now."""
        now = self._session.now
        statement = upsert(self._session.dialect, known_places, ("place",), ("since", "expires_at"))
        # In one order everywhere, so that two sign-ins cannot wait for each other.
        for place in sorted(places):
            values = {"place": place, "service": service, "since": now, "expires_at": now + seconds}
            await self._session.execute(statement, values)

    async def attempts(self, link_id: str) -> tuple[LoginAttempt, ...]:
        """Return the judged attempts on a link, oldest first."""
        rows = await self._session.execute(_ATTEMPTS, {"link_id": link_id})
        return tuple(attempt_from(row) for row in rows.mappings())

    async def insert_attempt(self, attempt: LoginAttempt) -> bool:
        """Record a judged attempt; False if this submission was judged before."""
        return await self._session.insert_new(
            login_attempts,
            {
                "link_id": attempt.link_id,
                "submission_id": attempt.submission_id,
                "outcome": attempt.outcome.value,
            },
            service=select(links.c.service).where(links.c.link_id == attempt.link_id).scalar_subquery(),
        )

    async def account_of(self, *, service: str, provider: str, subject: str) -> Account | None:
        """Return the account of a person whom a provider vouches for."""
        key = {"service": service, "provider": provider, "subject": subject}
        row = await self._session.first(_ACCOUNT_OF, key)
        return None if row is None else account_from(row)

    async def upsert_account(self, account: Account) -> Account:
        """Insert an account, or bring nickname and tier of the one that is there up to date."""
        statement = upsert(
            self._session.dialect, accounts, ("service", "provider", "subject"), ("nickname", "tier")
        ).returning(accounts)
        result = await self._session.execute(statement, account_values(account))
        return account_from(result.mappings().one())

    async def set_account_status(self, account_id: str, status: AccountStatus) -> None:
        """Enable or disable an account."""
        await self._session.execute(_SET_STATUS, {"id_of_account": account_id, "new_status": status.value})

    async def local_user(self, service: str, name: str) -> LocalUser | None:
        """Return a local user by the name signed in with."""
        row = await self._session.first(_LOCAL_USER, {"service": service, "name": name})
        return None if row is None else local_user_from(row)

    async def insert_local_user(self, user: LocalUser) -> bool:
        """Add a local user; False if the name is taken."""
        return await self._session.insert_new(local_users, local_user_values(user))

    async def local_users(self, service: str) -> tuple[LocalUser, ...]:
        """Return all local users of a service, by name."""
        rows = await self._session.execute(_LOCAL_USERS, {"service": service})
        users = [local_user_from(row) for row in rows.mappings()]
        # Here and not in the database, whose order of letters depends on how it was set up.
        return tuple(sorted(users, key=attrgetter("name")))

    async def session(self, session_hash: str) -> Session | None:
        """Return a session as it is."""
        row = await self._session.first(_SESSION, {"session_hash": session_hash})
        return None if row is None else session_from(row)

    async def sessions_of(self, *, service: str, account_id: str, household_id: str) -> tuple[Session, ...]:
        """Return all sessions of an account in a household, in no order."""
        key = {"service": service, "account_id": account_id, "household_id": household_id}
        rows = await self._session.execute(_SESSIONS_OF, key)
        return tuple(session_from(row) for row in rows.mappings())

    async def insert_session(self, session: Session) -> bool:
        """Insert a session; False if it was there already."""
        return await self._session.insert_new(sessions, session_values(session))

    async def swap_session(self, old: Session, new: Session) -> None:
        """Replace *old* by *new*."""
        await self._session.swap(sessions, session_values(old), session_values(new))

    async def delete_session(self, session_hash: str) -> None:
        """Delete a session if it is there."""
        await self._session.execute(_DELETE_SESSION, {"session_hash": session_hash})

    async def insert_upgrade(self, upgrade: Upgrade) -> bool:
        """Insert the word on an upgrade; False if it was there already."""
        return await self._session.insert_new(upgrades, upgrade_values(upgrade))


class SqlAuthStore(SqlWatched, AuthStore):
    """See the port."""

    def __init__(self, engine: AsyncEngine, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AuthTransaction]:
        """Open a transaction."""
        async with begin(self._engine) as session:
            yield SqlAuthTransaction(session, self._metrics)
