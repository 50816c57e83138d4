"""What a call costs an installation with very many households, beside one with a few thousand on the same servers.

Both are asked in turn, within two seconds of each other: on a machine that is shared, minutes before and after a filling differ by more than what
is looked for.
"""

import statistics
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.bed import Bed
from bench.figures import Figure, figure
from bench.flows import refresh_each
from bench.load import Job, Measured
from bench.rows import Pace, Say, cpu_of, hot_rows, measured

ROWS = ("poll_pending", "guarded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One kind of call to one installation."""

    name: str
    what: str
    measure: Callable[[], Coroutine[Any, Any, Measured]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Microseconds of CPU time of one call."""

    all_parts: float
    postgres: float


async def side_by_side(
    bed: Bed, pace: Pace, say: Say, *, households: int, refreshed: int, grants: int, links: int
) -> list[Figure]:
    """Measure calls on *bed*, where nothing runs yet, and on another installation that holds so many *grants* and *links* more."""
    with bed.beside("many") as other:
        say(f"storing {grants:,} grants and {links:,} links")
        begun = time.perf_counter()
        async with other.stock.connected() as connection:
            await fill(connection, grants=grants, links=links)
        filled = time.perf_counter() - begun
        to_few, to_many = [
            await _calls(each, pace, households=households, refreshed=refreshed) for each in (bed, other)
        ]
        held = f"{grants:,} grants and {links:,} links"
        return [
            await _compared(few, many, pace, say, held=held, filled_s=filled)
            for few, many in zip(to_few, to_many, strict=True)
        ]


async def _calls(bed: Bed, pace: Pace, *, households: int, refreshed: int) -> list[Call]:
    """Start an installation, and return what is asked of it."""
    for worker in ("auth_worker", "token_worker"):
        await bed.start_worker(worker)
    port = await bed.start_gateway()
    rows = [row for row in await hot_rows(bed, count=households) if row.name in ROWS]
    for row in rows:
        # What is seen for the first time is told the workers, once.
        await measured(bed, Job(ports=[port], seconds=30, once=True), row.requests)
    calls = [
        Call(
            name=row.name,
            what=row.what,
            measure=partial(measured, bed, pace.job(port, row), row.requests),
        )
        for row in rows
    ]
    refresh = partial(refresh_each, bed, port, pace, count=refreshed)
    return [*calls, Call(name="refresh", what="refresh", measure=refresh)]


async def _compared(few: Call, many: Call, pace: Pace, say: Say, *, held: str, filled_s: float) -> Figure:
    """Ask both in turn; whoever is asked first one time comes second the next."""
    costs: dict[Call, list[Cost]] = {few: [], many: []}
    for number in range(pace.rounds):
        say(f"{few.what}, few households and many, round {number + 1} of {pace.rounds}")
        for call in (few, many) if number % 2 else (many, few):
            costs[call].append(_cost(await call.measure()))
    median = statistics.median
    return figure(
        f"many_{few.name}",
        f"{few.what}: {held} against a few thousand, CPU of all parts",
        "times the cost",
        [dear.all_parts / cheap.all_parts for cheap, dear in zip(costs[few], costs[many], strict=True)],
        at_least=1.2,
        aim=1.05,
        few_us=median(cost.all_parts for cost in costs[few]),
        many_us=median(cost.all_parts for cost in costs[many]),
        postgres_few_us=median(cost.postgres for cost in costs[few]),
        postgres_many_us=median(cost.postgres for cost in costs[many]),
        filled_s=filled_s,
    )


def _cost(result: Measured) -> Cost:
    return Cost(
        all_parts=cpu_of(result, "gateway", "postgres", "token_worker"), postgres=cpu_of(result, "postgres")
    )


async def fill(connection: Any, *, grants: int, links: int) -> None:
    """Store rows by the million; indexes are made afterwards, which takes a third of the time."""
    await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'")
    people = max(grants // 10, 1)
    await connection.execute(
        "INSERT INTO accounts (account_id, service, provider, subject, nickname, status) "
        f"SELECT 'a' || n, 'default', 'local', 'a' || n, 'ann', 'active' FROM generate_series(1, {people}) n",
        timeout=600,
    )
    # The foreign key is true by construction, and checking it row by row would take as long as all the rest.
    await connection.execute("SET session_replication_role = replica")
    await _without_indexes(
        connection,
        "grants",
        "INSERT INTO grants (grant_id, service, account_id, household_id, status, family, generation, signing_key_id, "
        "derivation_key_id, issued_at, expires_at, seen_generation, family_started_at, used_at, version) "
        f"SELECT 'g' || n, 'default', 'a' || 1 + n % {people}, 'Sonos_' || n, 'active', 1, 1, 'k', 'k', "
        f"now.at, now.at + 3600, 1, now.at, now.at, 1 FROM generate_series(1, {grants}) n, "
        "(SELECT floor(extract(epoch FROM now()))::bigint AS at) now",
    )
    await _without_indexes(
        connection,
        "links",
        "INSERT INTO links (link_id, service, state, household_id, hardware, os_version, app_name, callback_path, "
        "requested_at, expires_at, version) SELECT md5(n::text), 'default', 'requested', 'Sonos_' || n, 'iPhone17,5', "
        f"'Version 26.2', 'ICRU', '', now.at, now.at + 7200, 1 FROM generate_series(1, {links}) n, "
        "(SELECT floor(extract(epoch FROM now()))::bigint AS at) now",
    )
    await connection.execute("SET session_replication_role = DEFAULT")
    # It would begin to tidy up behind us while calls are measured.
    for table in ("grants", "links", "accounts"):
        await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    await connection.execute("ANALYZE grants, links, accounts; CHECKPOINT", timeout=600)


async def _without_indexes(connection: Any, table: str, insert: str) -> None:
    """Insert rows while the table's plain indexes and constraints are away; the primary key stays."""
    indexes = await connection.fetch(
        "SELECT i.indexname AS name, i.indexdef AS definition, c.conname AS constraint, pg_get_constraintdef(c.oid) AS word "
        "FROM pg_indexes i LEFT JOIN pg_constraint c ON c.conname = i.indexname AND c.contype = 'u' "
        "WHERE i.tablename = $1 AND i.indexname NOT LIKE 'pk%'",
        table,
    )
    for index in indexes:
        await connection.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {index['name']}"
            if index["constraint"]
            else f"DROP INDEX {index['name']}"
        )
    await connection.execute(insert, timeout=900)
    for index in indexes:
        await connection.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {index['name']} {index['word']}"
            if index["constraint"]
            else index["definition"],
            timeout=900,
        )
