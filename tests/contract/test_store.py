"""What every store promises, on SQLite and on PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import delete, text
from sqlalchemy.exc import DBAPIError

from shared.bootstrap import watch_store
from shared.context import Clock, SystemClock
from shared.domain.account import Account, AccountStatus
from shared.domain.audit_chain import content_digest
from shared.domain.grant import GrantStatus
from shared.domain.link import Link, LinkState
from shared.domain.revocation import Scope, Selection
from shared.health import Health
from shared.metrics import Metrics
from shared.storage import reads
from shared.storage.base import AuthStore, Conflict, StoreUnavailable
from shared.storage.engine import open_engine
from shared.storage.records import AttemptOutcome, AuditEvent, LoginAttempt, PollView, TokenView
from shared.storage.schema import metadata
from shared.storage.sql import open_auth_store, open_read_store
from tests.store_samples import (
    ACCOUNT,
    ATTEMPT,
    GRANT,
    LINK,
    USER,
    Stores,
    insert_grant,
    insert_link,
    open_stores,
    put_delivery,
    standing,
    standing_of,
    work_as_auth_worker,
    work_as_token_worker,
)


@dataclass(kw_only=True)
class Watched:
    """What a process has that shows how its store is."""

    store: AuthStore
    metrics: Metrics
    health: Health = field(default_factory=Health)
    clock: Clock = field(default_factory=SystemClock)


class ChangedMyMind(Exception):
    """Raised in a transaction by its own user."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the whole schema and no rows."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[Stores]:
    """The three stores of that database."""
    async with open_stores(database_url) as stores:
        yield stores


async def _rows(database_url: str, query: str) -> list[dict[str, object]]:
    async with (
        open_engine(database_url, application_name="test", read_only=True) as engine,
        engine.connect() as connection,
    ):
        return [dict(row) for row in (await connection.execute(text(query))).mappings()]


class TestPoll:
    async def test_an_unknown_link_is_none(self, stores: Stores) -> None:
        """A link whose row is not written yet is not an error."""
        assert await stores.read.poll("nobody") is None

    async def test_how_a_link_stands_comes_with_the_time(self, stores: Stores) -> None:
        """A poll returns what it needs of the link, and the database's time."""
        await insert_link(stores.auth)
        async with stores.auth.transaction() as before:
            view = await stores.read.poll(LINK.link_id)
        async with stores.auth.transaction() as after:
            pass

        assert view is not None
        assert PollView(link=standing(LINK), delivery=None, now=view.now) == view
        assert before.now <= view.now <= after.now

    async def test_the_delivery_comes_with_it(self, stores: Stores) -> None:
        """The sealed pair of a link is stored under the link's id, and comes in the same read."""
        await insert_link(stores.auth)
        await put_delivery(stores.token, LINK.link_id, b"\x00sealed\xff")

        view = await stores.read.poll(LINK.link_id)

        assert view is not None
        assert b"\x00sealed\xff" == view.delivery

    @pytest.mark.parametrize("lifetime", [0, -1, -86400])
    async def test_an_expired_delivery_does_not(self, stores: Stores, lifetime: int) -> None:
        """A delivery is over in the very second of its expiry, by the database's clock."""
        await insert_link(stores.auth)
        await put_delivery(stores.token, LINK.link_id, lifetime=lifetime)

        view = await stores.read.poll(LINK.link_id)

        assert view is not None
        assert view.delivery is None

    async def test_many_at_once_get_each_their_own(self, stores: Stores) -> None:
        """Polls that arrive together are answered apart, the unknown and the doubled among them."""
        known = {f"link-{number}": LINK.expires_at + number for number in range(150)}
        async with stores.auth.transaction() as transaction:
            for link_id, expires_at in known.items():
                await transaction.insert_link(replace(LINK, link_id=link_id, expires_at=expires_at))
        asked = [*known, *known, *(f"unknown-{number}" for number in range(150))]

        views = await asyncio.gather(*(stores.read.poll(link_id) for link_id in asked))

        assert [known.get(link_id) for link_id in asked] == [view and view.link.expires_at for view in views]

    async def test_so_many_are_looked_up_at_once(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However many wait, a statement stays short."""
        monkeypatch.setattr(reads, "_MOST", 3)
        find, asked = reads._find, []

        async def noted(question: Any, view: Any, keys: Sequence[str]) -> Any:
            asked.append(len(keys))
            return await find(question, view, keys)

        monkeypatch.setattr(reads, "_find", noted)
        async with open_read_store(database_url) as store:
            await asyncio.gather(*(store.poll(f"link-{number}") for number in range(100)))

        assert 3 == max(asked)
        assert 100 == sum(asked)

    async def test_what_was_committed_before_is_seen(self, stores: Stores) -> None:
        """However busy polls are, one that begins after a commit sees it."""
        link = await insert_link(stores.auth)
        for _ in range(20):
            busy = [asyncio.create_task(stores.read.poll(link.link_id)) for _ in range(5)]
            changed = replace(link, version=link.version + 1, expires_at=link.expires_at + 1)
            async with stores.auth.transaction() as transaction:
                await transaction.swap_link(link, changed)
            view = await stores.read.poll(link.link_id)
            await asyncio.gather(*busy)

            assert view is not None
            assert standing(changed) == view.link

            link = changed

    async def test_one_that_is_given_up_takes_none_along(self, stores: Stores) -> None:
        """A poll whose caller went away leaves the others theirs."""
        await insert_link(stores.auth)
        polls = [asyncio.create_task(stores.read.poll(LINK.link_id)) for _ in range(10)]
        await asyncio.sleep(0)
        for poll in polls[::2]:
            poll.cancel()

        outcomes = await asyncio.gather(*polls, return_exceptions=True)

        assert [asyncio.CancelledError, PollView] * 5 == [type(outcome) for outcome in outcomes]


def counted(metrics: Metrics) -> tuple[dict[tuple[str, ...], int], dict[tuple[str, ...], int]]:
    """Return how many audits and how many links there were, of those of which there was one."""
    links = {labels: sum(tally.counts) for labels, tally in metrics.link_ages.tallies.items()}
    return dict(+Counter(metrics.audited.counts)), dict(+Counter(links))


class TestReads:
    async def test_an_unknown_link_is_none(self, stores: Stores) -> None:
        """A link that is not there has no view."""
        assert await stores.read.link("nobody") is None

    async def test_a_link_nobody_signed_in_to(self, stores: Stores) -> None:
        """A new link has no account and no attempts."""
        await insert_link(stores.auth)

        view = await stores.read.link(LINK.link_id)

        assert view is not None
        assert (LINK, None, ()) == (view.link, view.account, view.attempts)

    async def test_a_link_with_its_story(self, stores: Stores) -> None:
        """A link comes with its account, and with its attempts in the order in which they were judged."""
        await insert_link(stores.auth, replace(LINK, account_id=ACCOUNT.account_id))
        attempts = tuple(
            replace(ATTEMPT, submission_id=submission, outcome=outcome)
            for submission, outcome in (
                ("z", AttemptOutcome.REFUSED),
                ("a", AttemptOutcome.UNAVAILABLE),
                ("m", AttemptOutcome.AUTHENTICATED),
            )
        )
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(ACCOUNT)
            for attempt in attempts:
                await transaction.insert_attempt(attempt)

        view = await stores.read.link(LINK.link_id)

        assert view is not None
        assert (ACCOUNT, attempts) == (view.account, view.attempts)
        assert view.now >= transaction.now

    async def test_an_unknown_grant_is_none(self, stores: Stores) -> None:
        """A grant that was erased has no view."""
        assert await stores.read.grant("nobody") is None

    async def test_a_grant_with_its_account(self, stores: Stores) -> None:
        """A grant comes with its account and the time."""
        await insert_grant(stores)

        view = await stores.read.grant(GRANT.grant_id)

        assert view is not None
        assert TokenView(grant=standing_of(GRANT), account=ACCOUNT, now=view.now) == view

    async def test_a_delivery(self, stores: Stores) -> None:
        """A sealed pair is returned as it was written, until it expires."""
        await put_delivery(stores.token, "fresh", b"\x00\xff")
        await put_delivery(stores.token, "stale", lifetime=0)

        assert b"\x00\xff" == await stores.read.delivery("fresh")
        assert await stores.read.delivery("stale") is None
        assert await stores.read.delivery("unknown") is None

    async def test_the_schema_fits(self, stores: Stores) -> None:
        """A migrated database passes the check of every service."""
        await stores.read.check()
        await stores.auth.check()
        await stores.token.check()

    async def test_what_is_not_committed_is_not_seen(self, stores: Stores) -> None:
        """Readers neither see nor wait for a transaction under way."""
        async with stores.auth.transaction() as transaction:
            await transaction.insert_link(LINK)
            during = await stores.read.poll(LINK.link_id)
        after = await stores.read.poll(LINK.link_id)

        assert during is None
        assert after is not None

    async def test_only_what_is_committed_is_counted(self, database_url: str) -> None:
        """A transaction that is given up, and one that lost its swap, leave nothing in the metrics."""
        metrics = Metrics()
        event = AuditEvent(kind="link.requested", service="default", link_id=LINK.link_id)
        async with open_auth_store(database_url, metrics=metrics) as store:
            with suppress(ChangedMyMind):
                async with store.transaction() as transaction:
                    await transaction.insert_link(LINK)
                    await transaction.audit(event)
                    raise ChangedMyMind
            given_up = counted(metrics)
            async with store.transaction() as transaction:
                await transaction.insert_link(replace(LINK, requested_at=transaction.now - 7))
                await transaction.audit(event)

        assert ({}, {}) == given_up
        assert ({("link.requested",): 1}, {("requested",): 1}) == counted(metrics)
        assert 7 == metrics.link_ages.tallies["requested",].seconds

    async def test_vitals(self, stores: Stores) -> None:
        """The database's time, and how many of the connections are at work: none, when nobody asks."""
        async with stores.auth.transaction() as transaction:
            before = transaction.now
        every = (stores.read, stores.auth, stores.token)
        times = [await store.database_time() for store in every]
        found = [store.connections() for store in every]

        assert all(before <= each for each in times)
        assert [0, 0, 0] == [each.used for each in found]
        assert all(1 <= each.most for each in found)

    async def test_connections_are_told_when_there_is_none_to_spare(
        self, stores: Stores, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever looks at the metrics then sees that all are in use, and does not wait for one himself."""
        monkeypatch.setattr("shared.metrics.LOOK_SECONDS", 30)
        metrics = Metrics()
        watch_store("auth_worker", Watched(store=stores.auth, metrics=metrics))
        async with AsyncExitStack() as stack:
            for _ in range(stores.auth.connections().most):
                await stack.enter_async_context(stores.auth.transaction())
            looking = asyncio.create_task(metrics.look())
            while not metrics.connections.values:
                await asyncio.sleep(0)
            told = dict(metrics.connections.values)
            timed = dict(metrics.clock_offset.values)
        await looking

        assert told["auth_worker", "used"] == told["auth_worker", "most"] == stores.auth.connections().most
        assert {} == timed
        assert {("auth_worker",)} == set(metrics.clock_offset.values)

    async def test_the_database_refuses_its_writes(self, database_url: str) -> None:
        """Whatever rights its role has, on a gateway's connection the database itself writes nothing."""
        async with (
            open_engine(database_url, application_name="test", read_only=True) as engine,
            engine.connect() as connection,
        ):
            for table in metadata.sorted_tables:
                with pytest.raises(DBAPIError, match=r"read-?only"):
                    await connection.execute(delete(table))
                await connection.rollback()

    async def test_a_closed_store_answers_nothing(self, database_url: str) -> None:
        """Who still asks while the process goes down is told so at once."""
        async with open_stores(database_url) as stores:
            await stores.read.close()

            with pytest.raises(StoreUnavailable):
                await stores.read.poll(LINK.link_id)


class TestTransaction:
    async def test_everything_a_worker_does(self, stores: Stores) -> None:
        """The whole work of both workers, from link to grant."""
        link = await work_as_auth_worker(stores.auth)
        grant = await work_as_token_worker(stores.token, link)

        view = await stores.read.grant(grant.grant_id)

        assert view is not None
        assert (standing_of(grant), "Zoë", None) == (view.grant, view.account.nickname, view.account.tier)

    async def test_an_exception_undoes_everything(self, stores: Stores, database_url: str) -> None:
        """A transaction is all or nothing, and the exception that ended it comes out as it was."""

        async def change_my_mind() -> None:
            async with stores.auth.transaction() as transaction:
                await transaction.insert_link(LINK)
                await transaction.audit(AuditEvent(kind="link.requested", service="default"))
                raise ChangedMyMind

        with pytest.raises(ChangedMyMind):
            await change_my_mind()

        assert await stores.read.poll(LINK.link_id) is None
        assert [] == await _rows(database_url, "SELECT * FROM audit_events")

    async def test_a_time_out_of_the_callers_own_stays_one(self, stores: Stores) -> None:
        """Only what the database failed to do makes the store unavailable."""
        with pytest.raises(TimeoutError):
            async with stores.auth.transaction():
                raise TimeoutError

    async def test_a_cancelled_transaction_is_undone(self, stores: Stores) -> None:
        """A cancelled handler leaves nothing behind, neither in the table nor in the pool."""
        inserted = asyncio.Event()

        async def handle() -> None:
            async with stores.auth.transaction() as transaction:
                await transaction.insert_link(LINK)
                inserted.set()
                await asyncio.Event().wait()

        handling = asyncio.create_task(handle())
        await inserted.wait()
        handling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await handling

        assert await stores.read.poll(LINK.link_id) is None
        assert LINK == await insert_link(stores.auth)

    async def test_cancelled_anywhere_it_is_all_or_nothing(self, stores: Stores) -> None:
        """Wherever a cancellation strikes, both rows are there or neither is, and the connections come back."""

        async def insert(*links: Link) -> None:
            async with stores.auth.transaction() as transaction:
                for link in links:
                    await transaction.insert_link(link)

        finished = False
        steps = 0
        while not finished:
            first, second = (replace(LINK, link_id=f"{steps}-{half}") for half in ("first", "second"))
            inserting = asyncio.create_task(insert(first, second))
            for _ in range(steps):
                await asyncio.sleep(0)
            finished = inserting.done()
            inserting.cancel()
            await asyncio.wait([inserting])
            views = [await stores.read.poll(link.link_id) for link in (first, second)]

            assert (views[0] is None) == (views[1] is None)

            steps += 1 + steps // 8

        await work_as_auth_worker(stores.auth)

    async def test_time_stands_still(self, stores: Stores, database_url: str) -> None:
        """All that a transaction writes carries the one time it began at."""
        async with stores.token.transaction() as transaction:
            for kind in ("a", "b"):
                await transaction.audit(AuditEvent(kind=kind, service="default"))
            now = transaction.now

        assert [{"at": now}, {"at": now}] == await _rows(database_url, "SELECT at FROM audit_events")

    async def test_audit_writes_every_field(self, stores: Stores, database_url: str) -> None:
        """An audit event is stored with its detail as JSON."""
        event = AuditEvent(
            kind="link.linked",
            service="default",
            link_id="l",
            account_id="a",
            grant_id="g",
            household_id="h",
            detail={"reuse": True, "generation": 7, "name": "Zoë"},
        )
        async with stores.token.transaction() as transaction:
            await transaction.audit(event)

        (row,) = await _rows(database_url, "SELECT * FROM audit_events")
        detail = '{"generation": 7, "name": "Zo\\u00eb", "reuse": true}'

        assert {
            "event_id": 1,
            "at": transaction.now,
            "kind": "link.linked",
            "service": "default",
            "link_id": "l",
            "account_id": "a",
            "grant_id": "g",
            "household_id": "h",
            "detail": detail,
            "content_digest": content_digest("h", detail),
        } == row


class TestLinks:
    async def test_insert_is_idempotent(self, stores: Stores) -> None:
        """A link that comes twice stays as it was first."""
        await insert_link(stores.auth)
        async with stores.auth.transaction() as transaction:
            again = await transaction.insert_link(replace(LINK, household_id="another"))
            stored = await transaction.link(LINK.link_id)

        assert again is False
        assert LINK == stored

    async def test_an_unknown_link_is_none(self, stores: Stores) -> None:
        """Both workers find nothing where nothing is."""
        async with stores.auth.transaction() as auth:
            assert await auth.link("nobody") is None
        async with stores.token.transaction() as token:
            assert await token.link("nobody") is None

    async def test_swap_replaces_the_old(self, stores: Stores) -> None:
        """A swap writes what is new, and both workers read it."""
        await insert_link(stores.auth)
        new = replace(
            LINK,
            state=LinkState.AUTHENTICATED,
            account_id=ACCOUNT.account_id,
            browser="browser",
            version=2,
        )
        async with stores.auth.transaction() as auth:
            await auth.swap_link(LINK, new)
        async with stores.token.transaction() as token:
            stored = await token.link(LINK.link_id)

        assert new == stored

    async def test_swap_of_an_outdated_link_is_a_conflict(self, stores: Stores) -> None:
        """Who read before another wrote is told so, and the other's write stands."""
        await insert_link(stores.auth)
        first = replace(LINK, state=LinkState.DECLINED, version=2)
        async with stores.auth.transaction() as transaction:
            await transaction.swap_link(LINK, first)
        with pytest.raises(Conflict):
            async with stores.token.transaction() as transaction:
                await transaction.swap_link(LINK, replace(LINK, state=LinkState.FAILED, version=2))

        view = await stores.read.poll(LINK.link_id)

        assert view is not None
        assert standing(first) == view.link

    async def test_swap_of_a_deleted_link_is_a_conflict(self, stores: Stores) -> None:
        """A link that is gone has no version."""
        with pytest.raises(Conflict):
            async with stores.auth.transaction() as transaction:
                await transaction.swap_link(LINK, replace(LINK, version=2))

    async def test_swap_with_itself_is_nothing(self, stores: Stores) -> None:
        """The rules return the same object where nothing changes, and nothing is asked of the database."""
        async with stores.auth.transaction() as transaction:
            await transaction.swap_link(LINK, LINK)

    async def test_a_conflict_leaves_the_transaction_usable(self, stores: Stores) -> None:
        """A caller that catches the conflict can still write and commit."""
        async with stores.auth.transaction() as transaction:
            with pytest.raises(Conflict):
                await transaction.swap_link(LINK, replace(LINK, version=2))
            await transaction.insert_link(LINK)

        assert await stores.read.poll(LINK.link_id) is not None

    async def test_of_twenty_racers_each_version_has_one_winner(self, stores: Stores) -> None:
        """Twenty transactions that raise a version by one raise it by twenty, each from another version."""
        await insert_link(stores.auth)
        won = []

        async def race() -> None:
            while True:
                try:
                    async with stores.auth.transaction() as transaction:
                        old = await transaction.link(LINK.link_id)
                        assert old is not None
                        await transaction.swap_link(old, replace(old, version=old.version + 1))
                except Conflict:
                    continue
                won.append(old.version)
                return

        await asyncio.gather(*(race() for _ in range(20)))

        assert list(range(1, 21)) == sorted(won)

    async def test_both_workers_at_once_do_not_fail(self, stores: Stores) -> None:
        """Transactions of both workers take turns at the same database without an error, and each link is inserted once."""
        links = [replace(LINK, link_id=f"link-{number}") for number in range(10)]

        async def insert_all() -> list[bool]:
            inserted = []
            for link in links:
                async with stores.auth.transaction() as transaction:
                    inserted.append(await transaction.insert_link(link))
            return inserted

        async def audit_all() -> None:
            for link in links:
                async with stores.token.transaction() as transaction:
                    assert await transaction.link(link.link_id) in {None, link}
                    await transaction.audit(AuditEvent(kind="seen", service="default", link_id=link.link_id))

        async with asyncio.TaskGroup() as workers:
            inserting = [workers.create_task(insert_all()) for _ in range(5)]
            for _ in range(5):
                workers.create_task(audit_all())
        inserted = [task.result() for task in inserting]

        assert [1] * 10 == [sum(of_one_link) for of_one_link in zip(*inserted, strict=True)]


class TestAttempts:
    async def test_a_submission_is_judged_once(self, stores: Stores) -> None:
        """A redelivered submission does not count again, and its first verdict stands."""
        await insert_link(stores.auth)
        async with stores.auth.transaction() as transaction:
            first = await transaction.insert_attempt(ATTEMPT)
            again = await transaction.insert_attempt(replace(ATTEMPT, outcome=AttemptOutcome.AUTHENTICATED))
            stored = await transaction.attempts(LINK.link_id)

        assert (True, False, (ATTEMPT,)) == (first, again, stored)

    async def test_they_belong_to_their_link(self, stores: Stores) -> None:
        """The same submission id on another link is another attempt."""
        other = replace(LINK, link_id="other")
        await insert_link(stores.auth)
        await insert_link(stores.auth, other)
        async with stores.auth.transaction() as transaction:
            for link in (LINK, other):
                assert await transaction.insert_attempt(replace(ATTEMPT, link_id=link.link_id))
            stored = await transaction.attempts("other")

        assert (LoginAttempt(link_id="other", submission_id="try-1", outcome=ATTEMPT.outcome),) == stored

    async def test_they_come_oldest_first(self, stores: Stores) -> None:
        """Attempts are in the order in which they were judged, over transactions, whatever they are called."""
        await insert_link(stores.auth)
        for submission_id in ("c", "a", "b"):
            async with stores.auth.transaction() as transaction:
                await transaction.insert_attempt(replace(ATTEMPT, submission_id=submission_id))
        async with stores.auth.transaction() as transaction:
            stored = await transaction.attempts(LINK.link_id)

        assert ["c", "a", "b"] == [attempt.submission_id for attempt in stored]


class TestAccounts:
    async def test_a_new_account_is_stored_as_it_is(self, stores: Stores) -> None:
        """The first sight of a person makes their account, which both workers find."""
        async with stores.auth.transaction() as auth:
            stored = await auth.upsert_account(ACCOUNT)
        async with stores.token.transaction() as token:
            found = await token.account(ACCOUNT.account_id)
            nobody = await token.account("nobody")

        assert (ACCOUNT, ACCOUNT, None) == (stored, found, nobody)

    async def test_a_known_account_keeps_id_and_status(self, stores: Stores) -> None:
        """Who signs in again brings a new name and tier, and nothing else."""
        disabled = replace(ACCOUNT, status=AccountStatus.DISABLED)
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(disabled)
            stored = await transaction.upsert_account(
                replace(ACCOUNT, account_id="another", nickname="Z.", tier=None)
            )
            found = await transaction.account(ACCOUNT.account_id)
            another = await transaction.account("another")

        assert replace(disabled, nickname="Z.", tier=None) == stored
        assert (stored, None) == (found, another)

    @pytest.mark.parametrize(
        "other",
        [replace(ACCOUNT, service="jazz"), replace(ACCOUNT, provider="oidc"), replace(ACCOUNT, subject="x")],
    )
    async def test_a_person_is_service_provider_and_subject(self, stores: Stores, other: Account) -> None:
        """What differs in one of the three is somebody else."""
        other = replace(other, account_id="another")
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(ACCOUNT)
            stored = await transaction.upsert_account(other)

        assert other == stored

    async def test_racing_sign_ins_agree_on_one_account(self, stores: Stores) -> None:
        """However many sign in at once for the first time, it is one account."""

        async def sign_in(number: int) -> str:
            async with stores.auth.transaction() as transaction:
                return (
                    await transaction.upsert_account(replace(ACCOUNT, account_id=f"a{number}"))
                ).account_id

        account_ids = await asyncio.gather(*(sign_in(number) for number in range(20)))

        assert 1 == len(set(account_ids))


class TestAccountStatus:
    async def test_it_changes_alone(self, stores: Stores) -> None:
        """Disabled and enabled again, and signing in does not enable; an unknown account is no error."""
        seen = []
        for status in (AccountStatus.DISABLED, AccountStatus.ACTIVE):
            async with stores.auth.transaction() as transaction:
                await transaction.upsert_account(ACCOUNT)
                await transaction.set_account_status(ACCOUNT.account_id, status)
                await transaction.set_account_status("nobody", status)
            async with stores.auth.transaction() as transaction:
                seen.append(await transaction.upsert_account(ACCOUNT))

        assert [replace(ACCOUNT, status=AccountStatus.DISABLED), ACCOUNT] == seen


class TestLocalUsers:
    async def test_a_name_is_taken_once(self, stores: Stores) -> None:
        """The first to take a name keeps it; in another service it is free."""
        elsewhere = replace(USER, service="jazz")
        async with stores.auth.transaction() as transaction:
            first = await transaction.insert_local_user(USER)
            again = await transaction.insert_local_user(replace(USER, subject="thief"))
            other = await transaction.insert_local_user(elsewhere)
            found = await transaction.local_user("default", USER.name)
            nobody = await transaction.local_user("default", "nobody")

        assert (True, False, True) == (first, again, other)
        assert (USER, None) == (found, nobody)

    async def test_they_are_listed_by_name(self, stores: Stores) -> None:
        """All users of one service come by name, in the same order on every database."""
        names = ["zoë", "Bea", "ada", "émile", "a-b", "a_b"]
        async with stores.auth.transaction() as transaction:
            for name in names:
                await transaction.insert_local_user(replace(USER, name=name))
            await transaction.insert_local_user(replace(USER, service="jazz", name="miles"))
            users = await transaction.local_users("default")

        assert sorted(names) == [user.name for user in users]


class TestGrants:
    async def test_a_grant_is_found_by_id_and_by_whose_it_is(self, stores: Stores) -> None:
        """A grant comes back whole, by either key."""
        await insert_grant(stores)
        async with stores.token.transaction() as transaction:
            by_id = await transaction.grant(GRANT.grant_id)
            by_owner = await transaction.grant_of(
                service="default", account_id=GRANT.account_id, household_id=GRANT.household_id
            )
            nobody = await transaction.grant("nobody")
            nowhere = await transaction.grant_of(
                service="default", account_id=GRANT.account_id, household_id="elsewhere"
            )

        assert (GRANT, GRANT) == (by_id, by_owner)
        assert (None, None) == (nobody, nowhere)

    async def test_a_second_grant_is_a_conflict(self, stores: Stores) -> None:
        """One grant per account and household, and the transaction that tried goes on."""
        await insert_grant(stores)
        async with stores.token.transaction() as transaction:
            with pytest.raises(Conflict):
                await transaction.insert_grant(replace(GRANT, grant_id="second"))
            stored = await transaction.grant(GRANT.grant_id)

        assert GRANT == stored

    async def test_another_household_has_its_own(self, stores: Stores) -> None:
        """The same account may be linked in many households."""
        await insert_grant(stores)
        other = replace(GRANT, grant_id="second", household_id="other")
        async with stores.token.transaction() as transaction:
            await transaction.insert_grant(other)
            stored = await transaction.grant("second")

        assert other == stored

    async def test_racing_inserts_have_one_winner(self, stores: Stores) -> None:
        """Of many first links of one household at once, one makes the grant."""
        async with stores.auth.transaction() as transaction:
            await transaction.upsert_account(ACCOUNT)

        async def link(number: int) -> bool:
            try:
                async with stores.token.transaction() as transaction:
                    await transaction.insert_grant(replace(GRANT, grant_id=f"grant-{number}"))
            except Conflict:
                return False
            return True

        won = await asyncio.gather(*(link(number) for number in range(10)))

        assert 1 == sum(won)

    async def test_swap_compares_the_version(self, stores: Stores) -> None:
        """The same generation is replaced once."""
        await insert_grant(stores)
        new = replace(GRANT, generation=2, used_at=GRANT.used_at + 5, version=2)
        async with stores.token.transaction() as transaction:
            await transaction.swap_grant(GRANT, new)
            await transaction.swap_grant(new, new)
        with pytest.raises(Conflict):
            async with stores.token.transaction() as transaction:
                await transaction.swap_grant(GRANT, replace(GRANT, generation=3, version=2))

        async with stores.token.transaction() as transaction:
            stored = await transaction.grant(GRANT.grant_id)
        view = await stores.read.grant(GRANT.grant_id)

        assert view is not None
        assert (new, standing_of(new)) == (stored, view.grant)


class TestSelections:
    async def test_each_way_selects_its_own(self, stores: Stores) -> None:
        """By grant, account, household and all of the service: no more and no less, in the order of their ids."""
        for number, (service, account, household) in enumerate(
            (
                ("default", "ann", "here"),
                ("default", "bob", "here"),
                ("default", "ann", "there"),
                ("other", "ann", "here"),
            )
        ):
            async with stores.auth.transaction() as transaction:
                await transaction.upsert_account(replace(ACCOUNT, account_id=account, subject=account))
            async with stores.token.transaction() as transaction:
                await transaction.insert_grant(
                    replace(
                        GRANT,
                        grant_id=f"grant-{number}",
                        service=service,
                        account_id=account,
                        household_id=household,
                    )
                )
        wanted = {
            (Scope.GRANT, "grant-1"): ["grant-1"],
            (Scope.ACCOUNT, "ann"): ["grant-0", "grant-2"],
            (Scope.HOUSEHOLD, "here"): ["grant-0", "grant-1"],
            (Scope.ALL, ""): ["grant-0", "grant-1", "grant-2"],
            (Scope.GRANT, "grant-3"): [],
            (Scope.HOUSEHOLD, ""): [],
        }
        locked, read = {}, {}
        for scope, value in wanted:
            selection = Selection(service="default", scope=scope, value=value)
            async with stores.token.transaction() as transaction:
                found = await transaction.grants(selection, limit=10)
            locked[scope, value] = [grant.grant_id for grant in found]
            views = await stores.read.grants(selection, limit=10)
            read[scope, value] = [view.grant.grant_id for view in views]

        assert (wanted, wanted) == (locked, read)

    async def test_pages_follow_each_other(self, stores: Stores) -> None:
        """Every grant is on one page, whatever the size of the pages; each comes whole, with its account."""
        grants = [replace(GRANT, grant_id=f"g{n}", household_id=f"h{n}") for n in range(5)]
        for grant in grants:
            await insert_grant(stores, grant)
        everything = Selection(service="default", scope=Scope.ALL)
        read, locked, after = [], [], ""
        while views := await stores.read.grants(everything, after=after, limit=2):
            async with stores.token.transaction() as transaction:
                locked += await transaction.grants(everything, after=after, limit=2)
            read += views
            after = views[-1].grant.grant_id

        assert (grants, grants) == (locked, [view.grant for view in read])
        assert [ACCOUNT] * 5 == [view.account for view in read]

    async def test_a_refresh_waits_for_a_revocation(self, stores: Stores) -> None:
        """What was selected in a transaction cannot be changed by another before it ends."""
        await insert_grant(stores)

        async def refresh() -> None:
            async with stores.token.transaction() as other:
                await other.swap_grant(GRANT, replace(GRANT, generation=2, version=2))

        async with stores.token.transaction() as transaction:
            (grant,) = await transaction.grants(
                Selection(service="default", scope=Scope.GRANT, value=GRANT.grant_id), limit=1
            )
            late = asyncio.create_task(refresh())
            await asyncio.sleep(0)
            await transaction.swap_grant(grant, replace(grant, status=GrantStatus.REVOKED, version=2))
        with pytest.raises(Conflict):
            await late


class TestDeliveries:
    async def test_the_last_one_written_counts(self, stores: Stores) -> None:
        """A pair that is sealed again replaces the earlier one, its expiry too."""
        await put_delivery(stores.token, "d", b"first", lifetime=-10)
        await put_delivery(stores.token, "d", b"second", lifetime=600)

        assert b"second" == await stores.read.delivery("d")

        await put_delivery(stores.token, "d", b"third", lifetime=0)

        assert await stores.read.delivery("d") is None


class TestRetention:
    async def test_what_has_expired_goes_in_batches(self, stores: Stores, database_url: str) -> None:
        """At most *limit* rows of each kind go at a time, the oldest first, until none is left."""
        for number in range(3):
            await put_delivery(stores.token, f"d{number}", lifetime=-100 * number)
            await insert_link(stores.auth, replace(LINK, link_id=f"l{number}", expires_at=1000 - number))
        gone = []
        remaining = []
        for _ in range(3):
            async with stores.token.transaction() as transaction:
                gone.append(await transaction.delete_expired(links_before=1001, limit=2))
            rows = await _rows(
                database_url,
                "SELECT delivery_id AS id FROM deliveries UNION SELECT link_id FROM links ORDER BY id",
            )
            remaining.append([row["id"] for row in rows])

        assert [4, 2, 0] == gone
        assert [["d0", "l0"], [], []] == remaining

    async def test_the_attempts_go_with_their_link(self, stores: Stores, database_url: str) -> None:
        """No attempt outlives its link, and none of another link goes."""
        for link_id, expires_at in (("old", 999), ("kept", 1000)):
            await insert_link(stores.auth, replace(LINK, link_id=link_id, expires_at=expires_at))
            async with stores.auth.transaction() as transaction:
                await transaction.insert_attempt(replace(ATTEMPT, link_id=link_id))
        async with stores.token.transaction() as transaction:
            gone = await transaction.delete_expired(links_before=1000, limit=10)

        assert 1 == gone
        assert [{"link_id": "kept"}] == await _rows(database_url, "SELECT link_id FROM login_attempts")

    async def test_what_has_not_expired_stays(self, stores: Stores) -> None:
        """A delivery that may still be fetched, and a link of whom someone may still ask, stay."""
        await insert_link(stores.auth, replace(LINK, expires_at=1000))
        await put_delivery(stores.token, LINK.link_id)
        async with stores.token.transaction() as transaction:
            gone = await transaction.delete_expired(links_before=1000, limit=10)

        view = await stores.read.poll(LINK.link_id)

        assert 0 == gone
        assert view is not None
        assert b"sealed" == view.delivery

    async def test_two_retentions_share_the_work(self, stores: Stores) -> None:
        """Two that run at once neither wait for each other for long nor count a row twice."""
        for number in range(20):
            await put_delivery(stores.token, f"d{number}", lifetime=-1)

        async def delete() -> int:
            async with stores.token.transaction() as transaction:
                return await transaction.delete_expired(links_before=0, limit=5)

        gone = await asyncio.gather(*(delete() for _ in range(4)))

        assert 20 == sum(gone)
