"""Whatever befalls the database, the store says `StoreUnavailable` soon, and works again when the database does."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from shared.storage import migrate, sql
from shared.storage.base import StoreUnavailable
from shared.storage.engine import Timeouts
from shared.storage.records import AuditEvent
from tests.relay import relaying
from tests.services.postgres import PostgresServer
from tests.store_samples import LINK, Stores, insert_link, open_stores, standing

IMPATIENT = Timeouts(lock=0.05, pool=0.05)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the whole schema and no rows."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@asynccontextmanager
async def _administrator(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


async def _cut(url: str) -> int:
    """End every connection of the stores as an administrator would, wait until they are gone, and count them."""
    async with _administrator(url) as administrator:
        cut = await administrator.fetch(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'latchkey-%'"
        )
    return len(cut)


def _asks(stores: Stores) -> dict[str, Callable[[], Awaitable[object]]]:
    """One ask of each kind."""

    async def transact() -> None:
        async with stores.auth.transaction() as transaction:
            await transaction.link(LINK.link_id)

    return {
        "poll": lambda: stores.read.poll(LINK.link_id),
        "link": lambda: stores.read.link(LINK.link_id),
        "grant": lambda: stores.read.grant("grant"),
        "delivery": lambda: stores.read.delivery("delivery"),
        "check": stores.read.check,
        "transaction": transact,
        "check of a worker": stores.token.check,
    }


async def _outcomes(stores: Stores) -> dict[str, str]:
    """What becomes of an ask of each kind."""
    outcomes = {}
    for name, ask in _asks(stores).items():
        try:
            await ask()
        except StoreUnavailable:
            outcomes[name] = "unavailable"
        else:
            outcomes[name] = "answered"
    return outcomes


def _all(outcome: str) -> dict[str, str]:
    return dict.fromkeys(
        ("poll", "link", "grant", "delivery", "check", "transaction", "check of a worker"), outcome
    )


async def test_nobody_listens() -> None:
    """A server that is not there makes every ask unavailable, and says why."""
    with socket.socket() as taken:
        # Bound and not listening: the port is nobody else's, and refuses.
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql+asyncpg://latchkey@127.0.0.1:{taken.getsockname()[1]}/latchkey"
        async with open_stores(url, IMPATIENT) as stores:
            outcomes = await _outcomes(stores)
            with pytest.raises(StoreUnavailable, match=r"refused|Connect call failed"):
                await stores.read.poll(LINK.link_id)

    assert _all("unavailable") == outcomes


async def test_somebody_listens_and_says_nothing() -> None:
    """A server that takes connections and never answers makes every ask unavailable after the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql+asyncpg://latchkey@127.0.0.1:{mute.getsockname()[1]}/latchkey"
        async with open_stores(url, replace(IMPATIENT, connect=0.05)) as stores:
            outcomes = await _outcomes(stores)

    assert _all("unavailable") == outcomes


async def test_the_server_crashes_and_comes_back(own_postgres: PostgresServer) -> None:
    """Over a crash the same stores go from answering to unavailable to answering, and what was committed is there."""
    url = own_postgres.empty_database()
    await asyncio.to_thread(migrate.upgrade, url)
    async with open_stores(url) as stores:
        await insert_link(stores.auth)
        own_postgres.kill()
        crashed = await _outcomes(stores)
        own_postgres.start()
        recovered = await _outcomes(stores)
        view = await stores.read.poll(LINK.link_id)

    assert _all("unavailable") == crashed
    assert _all("answered") == recovered
    assert view is not None
    assert view.link == standing(LINK)


async def test_idle_connections_that_were_cut_are_replaced_unnoticed(postgres_url: str) -> None:
    """A restart of the server between two asks costs nobody an error."""
    async with open_stores(postgres_url) as stores:
        await insert_link(stores.auth)
        before = await _outcomes(stores)
        cut = await _cut(postgres_url)
        after = await _outcomes(stores)

    # One of each store, and those that the gateway keeps for one question each.
    assert cut == 6
    assert _all("answered") == before
    assert _all("answered") == after


async def test_a_connection_cut_in_a_transaction(postgres_url: str) -> None:
    """A transaction that loses its connection is unavailable, wrote nothing, and the next one works."""
    async with open_stores(postgres_url) as stores:

        async def lose_it() -> None:
            async with stores.auth.transaction() as transaction:
                await transaction.insert_link(LINK)
                await _cut(postgres_url)
                await transaction.link(LINK.link_id)

        with pytest.raises(StoreUnavailable):
            await lose_it()
        view = await stores.read.poll(LINK.link_id)
        await insert_link(stores.auth)

    assert view is None


async def test_a_connection_cut_before_the_commit(postgres_url: str) -> None:
    """A commit that fails is unavailable, too, and here nothing was committed."""
    async with open_stores(postgres_url) as stores:

        async def lose_it() -> None:
            async with stores.auth.transaction() as transaction:
                await transaction.insert_link(LINK)
                await _cut(postgres_url)

        with pytest.raises(StoreUnavailable):
            await lose_it()
        view = await stores.read.poll(LINK.link_id)
        await insert_link(stores.auth)

    assert view is None


async def test_the_callers_own_error_is_not_hidden(postgres_url: str) -> None:
    """When the roll-back fails as well, it is the reason for it that comes out."""
    async with open_stores(postgres_url) as stores:

        async def fail() -> None:
            async with stores.auth.transaction() as transaction:
                await transaction.insert_link(LINK)
                await _cut(postgres_url)
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        await insert_link(stores.auth)


async def test_a_network_that_goes_silent(postgres_url: str) -> None:
    """An answer that never comes is unavailable after the time-out, and the dead connection is not used again."""
    timeouts = Timeouts(statement=2, network=0.1)
    async with relaying(postgres_url) as relay, open_stores(relay.url, timeouts) as stores:
        await insert_link(stores.auth)
        before = await _outcomes(stores)
        # Two reads at once are two connections, and the first that fails speaks for both.
        await asyncio.gather(stores.read.link(LINK.link_id), stores.read.link(LINK.link_id))
        relay.fall_silent()
        asks = (_asks(stores)[name]() for name in ("poll", "transaction", "check of a worker"))
        failures = await asyncio.gather(*asks, return_exceptions=True)
        after = await _outcomes(stores)

    assert _all("answered") == before
    assert [StoreUnavailable] * 3 == list(map(type, failures))
    assert _all("answered") == after


async def test_closing_while_the_network_is_silent(postgres_url: str) -> None:
    """A process can end although its server does not say good-bye."""
    async with relaying(postgres_url) as relay, asyncio.timeout(30), open_stores(relay.url) as stores:
        await _outcomes(stores)
        relay.fall_silent()


async def test_a_locked_row(database_url: str) -> None:
    """Who waits for another's lock for too long is unavailable, and succeeds when the lock is gone."""
    async with open_stores(database_url) as stores, open_stores(database_url, IMPATIENT) as impatient:
        await insert_link(stores.auth)
        new = replace(LINK, version=2)

        async def swap() -> None:
            async with impatient.token.transaction() as transaction:
                await transaction.swap_link(LINK, new)

        async def lock_and_give_up() -> None:
            async with stores.auth.transaction() as transaction:
                await transaction.swap_link(LINK, new)
                with pytest.raises(StoreUnavailable):
                    await swap()
                raise LookupError

        with pytest.raises(LookupError):
            await lock_and_give_up()
        await swap()
        view = await stores.read.poll(LINK.link_id)

    assert view is not None
    assert standing(new) == view.link


async def test_a_slow_statement(postgres_url: str) -> None:
    """A statement that takes too long is unavailable, and its connection is used again."""
    timeouts = Timeouts(statement=0.1, network=30, lock=60)
    async with _administrator(postgres_url) as administrator, open_stores(postgres_url, timeouts) as stores:
        transaction = administrator.transaction()
        await transaction.start()
        await administrator.execute("LOCK TABLE links IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            await stores.read.poll(LINK.link_id)
        await transaction.rollback()
        view = await _answered(lambda: stores.read.poll(LINK.link_id))

    assert view is None


async def _answered(ask: Callable[[], Awaitable[object]]) -> object:
    """Return what becomes of an ask that may take longer than its store allows, on a machine with other things to do."""
    async with asyncio.timeout(30):
        while True:
            with suppress(StoreUnavailable):
                return await ask()


async def test_an_abandoned_transaction(postgres_url: str) -> None:
    """The server ends a transaction that says nothing any more, and its locks with it."""
    timeouts = Timeouts(idle_in_transaction=0.05)
    async with open_stores(postgres_url, timeouts) as stores:

        async def dawdle() -> None:
            async with stores.auth.transaction() as transaction:
                await transaction.insert_link(LINK)
                await _until_ended(postgres_url)
                await transaction.audit(AuditEvent(kind="too late", service="default"))

        with pytest.raises(StoreUnavailable):
            await dawdle()
        view = await stores.read.poll(LINK.link_id)

    assert view is None


async def _until_ended(url: str) -> None:
    """Wait until no store is in a transaction."""
    in_transaction = 1
    async with asyncio.timeout(30), _administrator(url) as administrator:
        while in_transaction:
            in_transaction = await administrator.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name LIKE 'latchkey-%' AND state LIKE 'idle in transaction%'"
            )


async def test_all_connections_in_use(database_url: str) -> None:
    """Who waits for one of our own connections for too long is unavailable, and gets one when it is free."""
    async with sql.open_auth_store(database_url, pool_size=1, timeouts=IMPATIENT) as store:
        async with store.transaction():
            with pytest.raises(StoreUnavailable):
                await insert_link(store)
        await insert_link(store)


async def test_a_schema_that_changes_under_us(postgres_url: str) -> None:
    """A migration while we run may cost an ask, which works when it is repeated."""
    async with open_stores(postgres_url) as stores:
        await insert_link(stores.auth)
        await _outcomes(stores)
        async with _administrator(postgres_url) as administrator:
            await administrator.execute("ALTER TABLE links ADD COLUMN new text")
            await administrator.execute("ALTER TABLE links ALTER COLUMN household_id TYPE varchar(400)")
        during = await _outcomes(stores)
        after = await _outcomes(stores)

    assert {"answered", "unavailable"} >= set(during.values())
    assert _all("answered") == after


async def test_a_broken_file(tmp_path: Path) -> None:
    """A file that is no database is unavailable: a person can help, and nothing is lost meanwhile."""
    path = tmp_path / "broken.db"
    path.write_bytes(b"This is no database, long as it may be. " * 200)
    async with open_stores(f"sqlite+aiosqlite:///{path}") as stores:
        outcomes = await _outcomes(stores)

    assert _all("unavailable") == outcomes


async def test_errors_hold_no_values(postgres_url: str) -> None:
    """An error that reaches a log names the statement, and nothing that was written with it."""
    async with sql.open_token_store(postgres_url) as store:

        async def put() -> None:
            async with store.transaction() as transaction:
                await transaction.put_delivery(
                    delivery_id="very secret",
                    service="default",
                    sealed=b"very secret",
                    expires_at=2**70,
                )

        with pytest.raises(Exception) as failure:  # noqa: PT011 - whichever it is
            await put()

    assert "very secret" not in str(failure.value)
