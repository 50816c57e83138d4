"""The gateway's store: its look-ups, and no way to write.

Each is one statement that brings the database's time along. Polls, and the grants and sessions of guarded calls, come in herds, so those
that arrive while one is under way are gathered into the next.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.domain.account import Account
from shared.domain.grant import GrantStanding, GrantStatus
from shared.domain.limits import Counted, Tries
from shared.domain.link import Standing
from shared.domain.revocation import Selection
from shared.storage import selecting
from shared.storage.base import ReadStore
from shared.storage.codes import EntryOutcome, EntryView, Guesses
from shared.storage.direct import Keyed
from shared.storage.expressions import Keys, is_one_of, now_seconds
from shared.storage.gathering import Gathering
from shared.storage.guesses import GUESSES, guesses_from
from shared.storage.legacy import SessionView
from shared.storage.providers import ProviderMetadataView
from shared.storage.records import GrantView, LinkView, PollView, TokenView
from shared.storage.rows import (
    GRANT_STATUSES,
    STATES,
    account_at,
    account_from,
    attempt_from,
    audit_from,
    code_entry_from,
    grant_at,
    grant_from,
    link_from,
    origin_from,
    provider_metadata_from,
    session_from,
    split,
    visit_from,
)
from shared.storage.schema import (
    accounts,
    audit_events,
    code_entries,
    deliveries,
    grant_origins,
    grants,
    links,
    login_attempts,
    provider_metadata,
    sessions,
    typed_codes,
    visits,
)
from shared.storage.session import fetch
from shared.storage.timeline_reads import SqlTimelineReads
from shared.storage.tried import TRIES, parameters, tries_from
from shared.storage.visits import AuditView, SystemView, VisitView
from shared.storage.vitals import SqlWatched

_MOST = 128
"""Keys in one statement: more would not be cheaper each, and the first of them would wait longer."""

HELD = 4
"""Connections to PostgreSQL that are kept for one question each."""

_NOW = now_seconds().label("now")
_UNEXPIRED = deliveries.c.expires_at > now_seconds()

_POLLS = (
    select(links.c.link_id, links.c.state, links.c.expires_at, deliveries.c.sealed, _NOW)
    .join_from(links, deliveries, (deliveries.c.delivery_id == links.c.link_id) & _UNEXPIRED, isouter=True)
    .where(is_one_of(links.c.link_id, bindparam("ids", type_=Keys)))
)
_LINK = (
    select(links, accounts, login_attempts, _NOW)
    .join_from(links, accounts, accounts.c.account_id == links.c.account_id, isouter=True)
    .join(login_attempts, login_attempts.c.link_id == links.c.link_id, isouter=True)
    .where(links.c.link_id == bindparam("link_id"))
    .order_by(login_attempts.c.attempt_id)
)
_STANDING = (
    *(grants.c.grant_id, grants.c.service, grants.c.household_id, grants.c.status),
    *(grants.c.family, grants.c.generation, grants.c.seen_generation),
)
_GRANTS = (
    select(*_STANDING, accounts, _NOW)
    .join_from(grants, accounts)
    .where(is_one_of(grants.c.grant_id, bindparam("ids", type_=Keys)))
)
_SELECTED = selecting.pages(select(grants, accounts, _NOW).join_from(grants, accounts))

_SESSIONS = (
    select(sessions, accounts, _NOW)
    .join_from(sessions, accounts)
    .where(is_one_of(sessions.c.session_hash, bindparam("ids", type_=Keys)))
)
_VISIT = (
    select(visits, accounts, _NOW)
    .join_from(visits, accounts, isouter=True)
    .where(visits.c.visit_hash == bindparam("visit_hash"))
)
_SYSTEMS = (
    select(grants, grant_origins)
    .join_from(grants, grant_origins, isouter=True)
    .where(grants.c.account_id == bindparam("account_id"), grants.c.status == GrantStatus.ACTIVE.value)
    .order_by(grants.c.used_at.desc(), grants.c.grant_id)
    .limit(bindparam("limit"))
)
_EVENTS = (
    select(audit_events)
    .where(audit_events.c.account_id == bindparam("account_id"))
    .order_by(audit_events.c.event_id.desc())
    .limit(bindparam("limit"))
)
_DELIVERIES = select(deliveries.c.delivery_id, deliveries.c.sealed).where(
    is_one_of(deliveries.c.delivery_id, bindparam("ids", type_=Keys)), _UNEXPIRED
)
_ACCOUNT_OF = select(accounts).where(
    accounts.c.service == bindparam("service"),
    accounts.c.provider == bindparam("provider"),
    accounts.c.subject == bindparam("subject"),
)
_LIVE_CODES = select(func.count()).select_from(
    select(typed_codes.c.expires_at)
    .where(typed_codes.c.expires_at > now_seconds())
    .limit(bindparam("most"))
    .subquery()
)
_ENTRY = (
    select(code_entries, typed_codes.c.sealed)
    .join_from(
        code_entries,
        typed_codes,
        (typed_codes.c.typed_id == code_entries.c.typed_id)
        & (code_entries.c.outcome == EntryOutcome.RIGHT.value)
        & (typed_codes.c.expires_at > now_seconds()),
        isouter=True,
    )
    .where(code_entries.c.entry_id == bindparam("entry_id"))
)

_PROVIDER_METADATA = select(
    provider_metadata, (now_seconds() - provider_metadata.c.fetched_at).label("age")
).where(provider_metadata.c.provider == bindparam("provider"))


class SqlReadStore(SqlTimelineReads, SqlWatched, ReadStore):
    """See the port."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        polls, grants_, sessions_, deliveries_ = (
            Keyed(engine, statement) for statement in (_POLLS, _GRANTS, _SESSIONS, _DELIVERIES)
        )
        self._questions = (polls, grants_, sessions_, deliveries_)
        self._polls = Gathering(partial(_find, polls, _poll_view), most=_MOST)
        self._grants = Gathering(partial(_find, grants_, _token_view), most=_MOST)
        self._sessions = Gathering(partial(_find, sessions_, _session_view), most=_MOST)
        self._deliveries = Gathering(partial(_find, deliveries_, _sealed), most=_MOST)

    async def poll(self, link_id: str) -> PollView | None:
        """Return how a link stands, and its delivery, in one read."""
        return await self._polls.get(link_id)

    async def link(self, link_id: str) -> LinkView | None:
        """Return a link, who signed in, and how each attempt was judged."""
        rows = await fetch(self._engine, _LINK, {"link_id": link_id})
        if not rows:
            return None
        link, account, _ = split(rows[0], links, accounts, login_attempts)
        attempts = [list(split(row, links, accounts, login_attempts))[2] for row in rows]
        return LinkView(
            link=link_from(link),
            account=None if account["account_id"] is None else account_from(account),
            attempts=tuple(attempt_from(each) for each in attempts if each["attempt_id"] is not None),
            now=rows[0].now,
        )

    async def grant(self, grant_id: str) -> TokenView | None:
        """Return how a grant stands, and its account."""
        return await self._grants.get(grant_id)

    async def grants(self, selection: Selection, *, after: str = "", limit: int) -> tuple[GrantView, ...]:
        """Return selected grants with their accounts, by id."""
        parameters = selecting.parameters(selection, after=after, limit=limit)
        rows = await fetch(self._engine, _SELECTED[selection.scope], parameters)
        return tuple(_grant_view(row) for row in rows)

    async def session(self, session_hash: str) -> SessionView | None:
        """Return a session and its account."""
        return await self._sessions.get(session_hash)

    async def delivery(self, delivery_id: str) -> bytes | None:
        """Return an unexpired sealed pair."""
        return await self._deliveries.get(delivery_id)

    async def account_of(self, *, service: str, provider: str, subject: str) -> Account | None:
        """Return the account of a person whom a provider vouches for."""
        key = {"service": service, "provider": provider, "subject": subject}
        rows = await fetch(self._engine, _ACCOUNT_OF, key)
        return account_from(next(split(rows[0], accounts))) if rows else None

    async def live_codes(self, most: int) -> int:
        """Return how many typed codes are live, counting no further than *most*."""
        rows = await fetch(self._engine, _LIVE_CODES, {"most": most})
        return int(rows[0][0])

    async def guesses(self, *, browser: str, network: str) -> Guesses:
        """Return which guesses of a browser, and of its network, count now."""
        return guesses_from(await fetch(self._engine, GUESSES, {"browser": browser, "network": network}))

    async def tries(self, counted: Counted, *, other_than: str = "") -> Tries:
        """Return what counts under these keys now."""
        return tries_from(await fetch(self._engine, TRIES, parameters(counted, other_than)))

    async def code_entry(self, entry_id: str) -> EntryView | None:
        """Return how a typed code was judged, and the sealed link code it stands for."""
        rows = await fetch(self._engine, _ENTRY, {"entry_id": entry_id})
        if not rows:
            return None
        (entry,) = split(rows[0], code_entries)
        return EntryView(entry=code_entry_from(entry), sealed=rows[0].sealed)

    async def visit(self, visit_hash: str) -> VisitView | None:
        """Return a visit and its account."""
        rows = await fetch(self._engine, _VISIT, {"visit_hash": visit_hash})
        if not rows:
            return None
        visit, account = split(rows[0], visits, accounts)
        return VisitView(
            visit=visit_from(visit),
            account=None if account["account_id"] is None else account_from(account),
            now=rows[0].now,
        )

    async def systems(self, account_id: str, *, limit: int) -> tuple[SystemView, ...]:
        """Return the grants of an account that have not ended, the one used last first."""
        rows = await fetch(self._engine, _SYSTEMS, {"account_id": account_id, "limit": limit})
        found = []
        for row in rows:
            grant, origin = split(row, grants, grant_origins)
            known = None if origin["grant_id"] is None else origin_from(origin)
            found.append(SystemView(grant=grant_from(grant), origin=known))
        return tuple(found)

    async def events(self, account_id: str, *, limit: int) -> tuple[AuditView, ...]:
        """Return what happened to an account, latest first."""
        rows = await fetch(self._engine, _EVENTS, {"account_id": account_id, "limit": limit})
        return tuple(audit_from(next(split(row, audit_events))) for row in rows)

    async def provider_metadata(self, provider: str) -> ProviderMetadataView | None:
        """Return what is known of a provider."""
        rows = await fetch(self._engine, _PROVIDER_METADATA, {"provider": provider})
        if not rows:
            return None
        (row,) = split(rows[0], provider_metadata)
        return ProviderMetadataView(metadata=provider_metadata_from(row), age=rows[0].age)

    async def close(self) -> None:
        """End what is under way."""
        for gathering in (self._polls, self._grants, self._sessions, self._deliveries):
            await gathering.close()
        for question in self._questions:
            question.close()


_ViewT = TypeVar("_ViewT")


async def _find(question: Keyed, view: Callable[[Any], _ViewT], keys: Sequence[str]) -> Mapping[str, _ViewT]:
    """Return what was found for keys, by the first column of its row."""
    return {row[0]: view(row) for row in await question.ask(keys)}


_GRANT_WIDTH = len(grants.columns)


def _poll_view(row: Any) -> PollView:
    link_id, state, expires_at, delivery, now = row
    return PollView(
        link=Standing(link_id=link_id, state=STATES[state], expires_at=expires_at), delivery=delivery, now=now
    )


def _token_view(row: Any) -> TokenView:
    grant_id, service, household_id, status, *numbers = row[: len(_STANDING)]
    return TokenView(
        grant=GrantStanding(grant_id, service, household_id, GRANT_STATUSES[status], *numbers),
        account=account_at(row, len(_STANDING)),
        now=row[-1],
    )


def _grant_view(row: Any) -> GrantView:
    return GrantView(grant=grant_at(row), account=account_at(row, _GRANT_WIDTH), now=row[-1])


def _session_view(row: Any) -> SessionView:
    session, account = split(row, sessions, accounts)
    return SessionView(session=session_from(session), account=account_from(account), now=row[-1])


def _sealed(row: Any) -> bytes:
    sealed: bytes = row[1]
    return sealed
