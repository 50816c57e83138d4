"""What the store asks of the database: one round trip for a poll, and an index for every look-up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import asyncpg
from sqlalchemy import Engine, event

from shared.storage.engine import open_engine
from shared.storage.herds import WRITE
from shared.storage.records import Changes
from shared.storage.schema import metadata
from tests.relay import relaying
from tests.store_samples import (
    COUNTED,
    ENTRY,
    GRANT,
    LINK,
    METADATA,
    SESSION,
    VISIT,
    insert_grant,
    insert_link,
    open_stores,
    put_delivery,
    selections_of,
    work_as_auth_worker,
    work_as_token_worker,
)

Statement = tuple[str, tuple[Any, ...]]


@contextmanager
def _recorded() -> Iterator[list[Statement]]:
    """Record every statement of every engine, with its parameters."""
    statements: list[Statement] = []

    def record(_connection: object, _cursor: object, text: str, parameters: Any, *_: object) -> None:
        if text.partition(" ")[0] in {"SELECT", "UPDATE", "DELETE", "WITH"}:
            statements.append((text, tuple(parameters)))

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)


async def _everything(url: str) -> None:
    """Call every method of every store."""
    async with open_stores(url) as stores:
        link = await work_as_auth_worker(stores.auth)
        await stores.read.poll(LINK.link_id)
        await stores.read.link(LINK.link_id)
        await stores.read.live_codes(10)
        await stores.read.provider_metadata(METADATA.provider)
        await stores.read.account_of(service="default", provider="local", subject="zoë")
        await stores.read.guesses(browser=ENTRY.browser, network=ENTRY.network)
        await stores.read.code_entry(ENTRY.entry_id)
        await stores.read.tries(COUNTED)
        await work_as_token_worker(stores.token, link)
        await stores.read.grant(GRANT.grant_id)
        for selection in selections_of(GRANT):
            await stores.read.grants(selection, limit=10)
        await stores.read.delivery(LINK.link_id)
        await stores.read.session(SESSION.session_hash)
        await stores.read.visit(VISIT.visit_hash)
        await stores.read.systems(GRANT.account_id, limit=10)
        await stores.read.events(GRANT.account_id, limit=10)
        await stores.read.trails([LINK.link_id])
        await stores.read.links_of(LINK.household_id, limit=10)
        await stores.read.link_named(["typed-1"])
        await stores.read.funnel(since=0, span=3600, most=10)
        await stores.read.unfinished(since=0, most=10)
        await stores.read.latest(since=0, most=10)


async def test_every_look_up_has_an_index_on_postgresql(postgres_url: str) -> None:
    """However large the tables, no statement reads one from end to end."""
    with _recorded() as statements:
        await _everything(postgres_url)
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    # The tables are small, for which reading all is best; forbidden to do so, only a statement without an index does.
    await connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    scans = {}
    for text, parameters in statements:
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {text}", *parameters))
        if "Seq Scan" in plan and "alembic_version" not in text:
            scans[text] = plan
    await connection.close()

    assert len(statements) > 15
    assert {} == scans


async def test_a_herd_is_two_round_trips_and_reads_no_table(postgres_url: str) -> None:
    """However many refreshes: one statement reads and one writes, each by index alone."""
    async with relaying(postgres_url) as relay, open_stores(relay.url) as stores:
        await insert_grant(stores)

        async def rotate() -> None:
            holders = await stores.token.holders([GRANT.grant_id])
            grant, _ = holders.found[GRANT.grant_id]
            later = replace(grant, generation=grant.generation + 1, version=grant.version + 1)
            await stores.token.write(Changes(swaps=[(grant, later)]))

        await rotate()
        before = relay.requests
        await rotate()
        requests = relay.requests - before
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    await connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {WRITE}", 0, *[[]] * 17))
    await connection.close()

    assert 2 == requests
    assert "Seq Scan" not in plan


async def test_events_of_links_are_found_by_their_links(postgres_url: str) -> None:
    """Not by walking through all there ever were, in the order that is asked for: also where sorting looks dear."""
    with _recorded() as statements:
        async with open_stores(postgres_url) as stores:
            await stores.read.trails(["link-1", "link-2"])
    (happened,) = [each for each in statements if "audit_events" in each[0]]
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    await connection.execute("SET enable_seqscan = off; SET enable_sort = off")
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {happened[0]}", *happened[1]))
    await connection.close()

    assert "ix_audit_events_link_id" in plan
    assert "pk_audit_events" not in plan


async def test_every_look_up_has_an_index_on_sqlite(sqlite_url: str) -> None:
    """However large the tables, no statement reads one from end to end."""
    with _recorded() as statements:
        await _everything(sqlite_url)
    scans = {}
    async with (
        open_engine(sqlite_url, application_name="test", read_only=True) as engine,
        engine.connect() as connection,
    ):
        for text, parameters in statements:
            rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)
            steps = [row.detail for row in rows]
            # The keys that are asked for, and the rows that were chosen to be deleted, are read from end to end.
            if any(step.startswith("SCAN") and step.split()[1] in metadata.tables for step in steps):
                scans[text] = steps

    assert len(statements) > 15
    assert {} == scans


async def test_a_read_is_one_round_trip(postgres_url: str) -> None:
    """A gateway says one thing and hears one: no BEGIN, no COMMIT, no ping, no reset."""
    async with relaying(postgres_url) as relay, open_stores(relay.url) as stores:
        await insert_link(stores.auth)
        await insert_grant(stores)
        await put_delivery(stores.token, LINK.link_id)
        requests = {}
        for ask, key in (
            (stores.read.poll, LINK.link_id),
            (stores.read.link, LINK.link_id),
            (stores.read.grant, GRANT.grant_id),
            (stores.read.delivery, LINK.link_id),
        ):
            # The first time, the statement is prepared.
            await ask(key)
            before = relay.requests
            await ask(key)
            requests[ask.__name__] = relay.requests - before

    assert {"poll": 1, "link": 1, "grant": 1, "delivery": 1} == requests


async def test_polls_at_once_are_few_round_trips(postgres_url: str) -> None:
    """A hundred polls that come together are five statements: the first leaves at once, and of those left half at a time."""
    async with relaying(postgres_url) as relay, open_stores(relay.url) as stores:
        await insert_link(stores.auth)
        await stores.read.poll(LINK.link_id)
        before = relay.requests
        await asyncio.gather(*(stores.read.poll(f"link-{number}") for number in range(100)))
        requests = relay.requests - before

    assert 5 == requests


async def test_a_transaction_is_as_many_round_trips_as_it_needs(postgres_url: str) -> None:
    """BEGIN, the time, what the handler asks for, COMMIT: nothing else."""
    async with relaying(postgres_url) as relay, open_stores(relay.url) as stores:

        async def ask_once() -> None:
            async with stores.auth.transaction() as transaction:
                await transaction.link(LINK.link_id)

        await ask_once()
        before = relay.requests
        await ask_once()
        requests = relay.requests - before

    assert 4 == requests
