"""Look-ups past SQLAlchemy and through it: the same answers, and the same promises when connections are lost."""

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.storage import sql
from shared.storage.base import StoreUnavailable
from shared.storage.sql import SqlReadStore
from tests.chaos.proxies import Cable, Fault, cable
from tests.services.postgres import PostgresServer
from tests.store_samples import LINK, Stores, cut_connections, insert_link, standing

MANY = 40


async def _insert(stores: Stores) -> list[str]:
    links = [replace(LINK, link_id=f"{number:032x}") for number in range(MANY)]
    async with stores.auth.transaction() as transaction:
        for link in links:
            await transaction.insert_link(link)
    return [link.link_id for link in links]


async def test_everybody_gets_their_own(stores: Stores) -> None:
    """Asked for at the same time, some twice, some that do not exist."""
    ids = await _insert(stores)
    asked = [*ids, "nobody", *reversed(ids)]
    views = await asyncio.gather(*(stores.read.poll(link_id) for link_id in asked))

    assert [None if link_id == "nobody" else link_id for link_id in asked] == [
        view.link.link_id if view else None for view in views
    ]
    assert {standing(replace(LINK, link_id=ids[3]))} == {
        view.link for view in views if view and view.link.link_id == ids[3]
    }


async def test_a_connection_that_is_cut_between_batches(stores: Stores, postgres_url: str) -> None:
    """Nobody notices."""
    ids = await _insert(stores)
    assert await stores.read.poll(ids[0]) is not None
    await cut_connections(postgres_url)
    views = await asyncio.gather(*(stores.read.poll(link_id) for link_id in ids))

    assert all(view is not None for view in views)


async def test_a_connection_that_is_cut_in_the_middle_of_a_batch(stores: Stores, postgres_url: str) -> None:
    """While a lock holds the batch up, its connection dies: everybody hears of it or is answered, and the next batch is answered."""
    ids = await _insert(stores)
    await insert_link(stores.auth)
    locker = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    transaction = locker.transaction()
    await transaction.start()
    await locker.execute("LOCK TABLE links IN ACCESS EXCLUSIVE MODE")
    polls = [asyncio.create_task(stores.read.poll(link_id)) for link_id in ids]
    async with asyncio.timeout(30):
        while not await cut_connections(postgres_url, "AND wait_event_type = 'Lock'"):
            assert not any(poll.done() for poll in polls)
    await transaction.rollback()
    await locker.close()
    outcomes = await asyncio.gather(*polls, return_exceptions=True)
    again = await asyncio.gather(*(stores.read.poll(link_id) for link_id in ids))

    # Whether the second try was under way before the lock went decides; nobody waits for ever, or is told what is not so.
    assert {"PollView", "StoreUnavailable"} >= {type(each).__name__ for each in outcomes}
    assert all(view is not None for view in again)


async def test_a_connection_whose_last_word_was_an_error(stores: Stores, postgres_url: str) -> None:
    """The server says that it goes, and its end of the connection is not here yet: by either way nobody hears more than that it is away."""
    await insert_link(stores.auth)
    async with cable(postgres_url) as laid, sql.open_read_store(laid.url) as read:
        before = await read.poll(LINK.link_id)
        await take_leave(laid, stores, postgres_url)
        after = await read.poll(LINK.link_id)

    assert before is not None
    assert after is not None
    assert before.link == after.link


async def take_leave(laid: Cable, stores: Stores, url: str) -> None:
    """Have the server say on every connection that it goes, and keep the end of those of the cable back."""
    laid.suffer(Fault.NO_END)
    await cut_connections(url)
    async with asyncio.timeout(30):
        while not laid.ended:
            # Answers from elsewhere give the loop the turns in which the last words arrive.
            await stores.read.poll("nobody")


async def test_last_word_in_the_middle_of_a_transaction(stores: Stores, postgres_url: str) -> None:
    """Between two of its statements: the database is away, and nothing was written."""
    await insert_link(stores.auth)
    async with cable(postgres_url) as laid, sql.open_auth_store(laid.url) as auth:

        async def change() -> None:
            async with auth.transaction() as transaction:
                link = await transaction.link(LINK.link_id)
                assert link is not None
                await take_leave(laid, stores, postgres_url)
                await transaction.swap_link(link, replace(link, callback_path="elsewhere"))

        with pytest.raises(StoreUnavailable):
            await change()
    view = await stores.read.link(LINK.link_id)

    assert view is not None
    assert LINK.callback_path == view.link.callback_path


async def test_a_server_that_is_there_and_takes_nobody(
    stores: Stores, postgres_url: str, postgres_server: PostgresServer
) -> None:
    """As one does that recovers from a crash: it is unavailable, and nothing else."""
    database = urlsplit(postgres_url).path[1:]
    maintenance = await asyncpg.connect(postgres_server.url)
    await maintenance.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    with pytest.raises(StoreUnavailable):
        await stores.read.poll("nobody")
    await maintenance.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
    await maintenance.close()

    assert await stores.read.poll("nobody") is None


async def test_reading_is_all_the_connection_can_do(stores: Stores) -> None:
    """The one that is kept has the settings of the pool: no write gets through, and no statement runs for ever."""
    await stores.read.poll("nobody")
    assert isinstance(stores.read, SqlReadStore)
    held = stores.read._questions[0].held._connection
    if held is None:
        return
    connection = held.driver_connection
    assert connection is not None
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await connection.execute("DELETE FROM links")
    assert "5s" == await connection.fetchval("SHOW statement_timeout")
