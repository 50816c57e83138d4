"""How long do migrations keep others waiting, where tables have millions of rows? Each in turn, while rows are read and written.

    python -m tests.measure.migrations [--rows 10000000]

In a PostgreSQL of its own, with as many accounts, grants, audit events and notices: ten million of each are 30 GB, below TMPDIR. While a
migration runs, a connection for each table reads and changes one row every 10 ms; the longest of these is what a household would have waited.
"""

import argparse
import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

import asyncpg

from shared.storage import migrate
from tests.services.keeper import running_keeper
from tests.services.postgres import PostgresServer

PAUSE_SECONDS = 0.01
PATIENCE_SECONDS = 3600
FIRST = "0001"
FILLINGS = {
    "0001": (
        (
            "INSERT INTO accounts SELECT 'account-' || n, 'default', 'corp', 'subject-' || n, 'Ann', 'paid', 'active' "
            "FROM generate_series(1, {rows}) n"
        ),
        (
            "INSERT INTO grants SELECT md5('grant' || n), 'default', 'account-' || n, 'Sonos_' || md5('household' || n), 'active', 1, 7, "
            "'s1', 'd1', 1800000000, 1800003600, 6, 1800000000, 1800000000, 9 FROM generate_series(1, {rows}) n"
        ),
        (
            "INSERT INTO links SELECT md5('link' || n), 'default', 'linked', 'Sonos_' || md5('household' || n), 'iPhone17,5', '83.1', 'ICRU', "
            "'sonos-2://x', 1800000000, 1800000600, 'account-' || n, 'browser', md5('grant' || n), 4 FROM generate_series(1, {rows} / 10) n"
        ),
        (
            "INSERT INTO audit_events (at, kind, service, link_id, account_id, grant_id, household_id, detail) "
            "SELECT 1800000000, 'link.linked', 'default', md5('link' || n), 'account-' || n, md5('grant' || n), 'Sonos_x', '{{}}' "
            "FROM generate_series(1, {rows}) n"
        ),
    ),
    "0005": (
        (
            "INSERT INTO notices SELECT md5('notice' || n), 'linked', 'default', 'account-' || n, 'Sonos_x', md5('grant' || n), "
            "'iPhone17,5', 'ICRU', 1800000000, 1807776000 FROM generate_series(1, {rows}) n"
        ),
    ),
}
"""Revision -> what is put in once it is there."""
PROBES = {
    "accounts": ("account_id", "status"),
    "grants": ("grant_id", "status"),
    "links": ("link_id", "state"),
    "audit_events": ("event_id", "kind"),
    "notices": ("notice_id", "kind"),
}
"""Table -> its key, and what is written."""


async def _probe(url: str, table: str, waits: dict[str, float], stop: asyncio.Event) -> None:
    """Read and write one row again and again, and note the longest wait."""
    key, column = PROBES[table]
    database = await asyncpg.connect(url, command_timeout=PATIENCE_SECONDS)
    try:
        row = await database.fetchval(f"SELECT {key} FROM {table} LIMIT 1")
        while not stop.is_set():
            started = time.monotonic()
            await database.fetchval(f"SELECT {column} FROM {table} WHERE {key} = $1", row)
            await database.execute(f"UPDATE {table} SET {column} = {column} WHERE {key} = $1", row)
            waits[table] = max(waits[table], time.monotonic() - started)
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await database.close()


async def _watched(url: str, plain: str, revision: str) -> tuple[float, dict[str, float]]:
    """Run one migration; return its seconds, and the longest wait at each table."""
    waits: dict[str, float] = defaultdict(float)
    database, stop = await asyncpg.connect(plain), asyncio.Event()
    there = [table for table in PROBES if await database.fetchval("SELECT to_regclass($1)::text", table)]
    await database.close()
    probing = [asyncio.create_task(_probe(plain, table, waits, stop)) for table in there]
    started = time.monotonic()
    await asyncio.to_thread(migrate.upgrade, url, to=revision)
    took = time.monotonic() - started
    stop.set()
    await asyncio.gather(*probing)
    return took, waits


async def _fill(plain: str, statements: Sequence[str], rows: int) -> None:
    database = await asyncpg.connect(plain, command_timeout=PATIENCE_SECONDS)
    for statement in statements:
        print(f"filling: {statement.split()[2]}", file=sys.stderr)
        await database.execute(statement.format(rows=rows))
    await database.execute("VACUUM ANALYZE")
    await database.close()


async def measure(url: str, rows: int) -> float:
    """Run all migrations on full tables, print what each took, and return the longest wait."""
    plain, longest = url.replace("+asyncpg", ""), 0.0
    print("| migration | seconds | longest wait | at |\n|---|---|---|---|")
    for number in range(int(FIRST), int(migrate.head()) + 1):
        revision = f"{number:04}"
        if revision == FIRST:
            await asyncio.to_thread(migrate.upgrade, url, to=revision)
        else:
            took, waits = await _watched(url, plain, revision)
            table, wait = max(waits.items(), key=lambda each: each[1])
            longest = max(longest, wait)
            print(f"| {revision} | {took:.1f} | {wait * 1000:.0f} ms | {table} |", flush=True)
        await _fill(plain, FILLINGS.get(revision, ()), rows)
    return longest


def main(rows: int) -> None:
    """Measure, and print."""
    with running_keeper() as keeper:
        server = PostgresServer(keeper.open("durable postgres", "measured"))
        longest = asyncio.run(measure(server.empty_database(), rows))
        keeper.order("close", "measured")
    print(f"\n{rows} rows: nobody waited longer than {longest * 1000:.0f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="accounts, grants, audit events, notices"
    )
    main(parser.parse_args().rows)
