"""What goes through broker and workers: refreshes, approvals, and how it grows with processes and with households."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp

from bench import processes, stock
from bench.bed import Bed
from bench.figures import Figure, figure
from bench.load import Job, Measured
from bench.rows import (
    CONNECTIONS,
    Pace,
    Row,
    Say,
    against_floor,
    app_link_row,
    busy_app_link_row,
    cpu_of,
    measured,
)
from gateway.tally import TELL_SECONDS
from shared.bus.inspection import inspect
from shared.bus.rabbit import open_rabbit
from shared.messages import LinkApproved

HOURS = 3600
REFRESHING = 128
"""Households that refresh at a time, so that two cores are full: with 32 a message carries eight of them, and everybody waits for somebody else."""


async def refreshes(bed: Bed, port: int, pace: Pace, say: Say, *, most: int) -> list[Figure]:
    """Refresh as fast as it goes, and at an even hundred a second, every part where it finds a core."""
    closed, even = [], []
    with bed.unpinned():
        for number in range(pace.rounds):
            say(f"refresh through the broker, round {number + 1} of {pace.rounds}")
            closed.append(await _refresh(bed, [port], pace, count=min(most, round(6_000 * pace.seconds))))
        for number in range(pace.rounds):
            say(f"refresh at 100/s, round {number + 1} of {pace.rounds}")
            even.append(await _refresh_evenly(bed, port, pace))
    median = statistics.median
    return [
        figure(
            "refresh",
            f"refresh through broker, worker, commit and back, {REFRESHING} at a time; all parts on all cores",
            "1/s",
            [result.rate for result in closed],
            at_least=2_500,
            aim=5_000,
            gateway_cpu_us=median(cpu_of(result, "gateway") for result in closed),
            worker_cpu_us=median(cpu_of(result, "token_worker") for result in closed),
            postgres_cpu_us=median(cpu_of(result, "postgres") for result in closed),
            broker_cpu_us=median(cpu_of(result, "rabbit") for result in closed),
            p50_ms=median(result.latencies_ms["p50"] for result in closed),
            p99_ms=median(result.latencies_ms["p99"] for result in closed),
        ),
        figure(
            "refresh_even_p99",
            "p99 of a refresh at 100/s (open loop)",
            "ms",
            [result.latencies_ms["p99"] for result in even],
            at_least=15,
            p50_ms=median(result.latencies_ms["p50"] for result in even),
        ),
    ]


async def approvals(bed: Bed, port: int, say: Say, *, rate: int, seconds: float) -> Figure:
    """Approve links evenly, and see when a poll has the pair."""
    say(f"approval to visible, {rate} links/s")
    made, browser = bed.stock, "b" * 64
    links = await made.signed_in(round(rate * seconds), account_id=await made.account(), browser=browser)
    took: list[float] = []
    async with (
        open_rabbit(bed.system.environment["LATCHKEY_BROKER_URL"]) as bus,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        async with asyncio.timeout(30):
            while not bus.is_connected():
                await asyncio.sleep(0.05)
        url = f"http://127.0.0.1:{port}/smapi"

        async def approve(link: stock.Link) -> None:
            _, _, body = stock.poll(link).partition(b"\r\n\r\n")
            begun = time.perf_counter()
            await bus.publish([LinkApproved(service="default", link_id=link.link_id, browser=browser)])
            async with asyncio.timeout(30):
                while True:
                    async with http.post(url, data=body) as response:
                        if response.status == 200:
                            took.append((time.perf_counter() - begun) * 1000)
                            return
                    await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as tasks:
            for link in links:
                tasks.create_task(approve(link))
                await asyncio.sleep(1 / rate)
    took.sort()
    p99 = took[len(took) * 99 // 100]
    return figure(
        "approval_p99",
        f"approval to visible in the next poll, {rate} links/s, p99",
        "ms",
        [p99],
        at_least=150,
        aim=50,
        p50_ms=took[len(took) // 2],
        max_ms=took[-1],
    )


async def two_gateways(bed: Bed, port: int, row: Row, pace: Pace, say: Say) -> Figure:
    """Run two gateways where there was one.

    Both, and all they need, do not fit on two cores, so that rates would say how full the machine is. What is taken is the CPU time of a
    request: as long as it does not grow, two gateways do twice the work of one on cores of their own.
    """
    say("two gateways against one")
    second = await bed.start_gateway("gateway-2")
    # What a new gateway sees for the first time it tells the workers, once; after that it is as old as the other.
    await bed.measure(Job(ports=[second], seconds=30, once=True), row.requests)
    await asyncio.sleep(3 * TELL_SECONDS)
    gains = []
    for _ in range(pace.rounds):
        costs = []
        for ports in ([port], [port, second]):
            job = pace.job(port, row)
            job.ports, job.connections = ports, CONNECTIONS * len(ports)
            costs.append(cpu_of(await measured(bed, job, row.requests), "gateway"))
        gains.append(2 * costs[0] / costs[1])
    bed.stop("gateway-2")
    bed.system.gateways.pop()
    return figure(
        "two_gateways", "2 gateways against 1, polls, by CPU time", "times", gains, at_least=1.8, aim=1.95
    )


async def new_links(bed: Bed, port: int, pace: Pace, say: Say, *, count: int) -> list[Figure]:
    """Begin links: what the gateway can do, with its worker held up meanwhile, and what comes of it where all share two cores."""
    with processes.standing_still(bed.pids["auth_worker"]):
        alone = await against_floor(bed, [app_link_row(count)], port, pace, say)
    say("the worker writes what has piled up")
    await _worked_off(bed)
    busy = await against_floor(bed, [busy_app_link_row(count)], port, pace, say)
    await _worked_off(bed)
    return [*alone, *busy]


async def _worked_off(bed: Bed) -> None:
    """Wait until no queue of a worker's has anything left."""
    async with asyncio.timeout(120):
        while True:
            found = await inspect(
                bed.system.environment["LATCHKEY_BROKER_URL"], prefix=bed.settings.bus_prefix
            )
            if not any(found.queues[name].messages for name in found.work):
                return
            await asyncio.sleep(0.5)


async def many(
    bed: Bed, port: int, rows: Sequence[Row], pace: Pace, say: Say, *, grants: int, links: int, refreshed: int
) -> list[Figure]:
    """Let the installation grow to very many households, and see what a call costs before and after.

    A bare handler is measured each time, too: minutes lie between before and after, and a machine that is shared may be slower by then.
    """
    calls: dict[str, tuple[str, Callable[[], Awaitable[Measured]]]] = {
        row.name: (row.what, partial(measured, bed, pace.job(port, row), row.requests)) for row in rows
    }
    calls["refresh"] = "refresh", partial(_refresh, bed, [port], pace, count=refreshed)
    with bed.floor(["POST:200:500"]) as floor_port:
        before = {name: await _costs(bed, floor_port, call, pace) for name, (_, call) in calls.items()}
        say(f"storing {grants:,} grants and {links:,} links")
        begun = time.perf_counter()
        async with bed.stock.connected() as connection:
            await fill(connection, grants=grants, links=links)
        filled = time.perf_counter() - begun
        say("the same calls again")
        after = {name: await _costs(bed, floor_port, call, pace) for name, (_, call) in calls.items()}
    median = statistics.median
    return [
        figure(
            f"many_{name}",
            f"{what}: {grants:,} grants and {links:,} links against a few thousand, CPU of all parts",
            "times the cost",
            [late.in_floors / early.in_floors for early, late in zip(before[name], after[name], strict=True)],
            at_least=1.2,
            aim=1.05,
            before_us=median(cost.all_parts for cost in before[name]),
            after_us=median(cost.all_parts for cost in after[name]),
            postgres_before_us=median(cost.postgres for cost in before[name]),
            postgres_after_us=median(cost.postgres for cost in after[name]),
            floor_before_us=median(cost.floor for cost in before[name]),
            floor_after_us=median(cost.floor for cost in after[name]),
            filled_s=filled,
        )
        for name, (what, _) in calls.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """Microseconds of CPU time of one call."""

    all_parts: float
    postgres: float
    floor: float

    @property
    def in_floors(self) -> float:
        return self.all_parts / self.floor


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


async def _costs(
    bed: Bed, floor_port: int, call: Callable[[], Awaitable[Measured]], pace: Pace
) -> list[_Cost]:
    bare = [stock.http("POST", "/0", {}, b"x" * 900)]
    costs = []
    for _ in range(pace.rounds):
        floor = await bed.measure(pace.job(floor_port), bare)
        result = await call()
        costs.append(
            _Cost(
                all_parts=cpu_of(result, "gateway", "postgres", "token_worker"),
                postgres=cpu_of(result, "postgres"),
                floor=cpu_of(floor, "floor"),
            )
        )
    return costs


async def _refresh_evenly(bed: Bed, port: int, pace: Pace) -> Measured:
    """Refresh at a hundred a second, whether or not answers come."""
    tokens = await bed.stock.tokens(round(110 * (pace.seconds + 1)) + 50, age=2 * HOURS)
    # What was written at full speed before is not to be waited for now.
    async with bed.stock.connected() as connection:
        await connection.execute("CHECKPOINT")
    job = Job(
        ports=[port], rate=100, seconds=pace.seconds + 1, connections=CONNECTIONS, expect="HTTP/1.1 200"
    )
    return await measured(bed, job, [stock.refresh(token) for token in tokens])


async def _refresh(bed: Bed, ports: list[int], pace: Pace, *, count: int) -> Measured:
    """Refresh stale tokens, each once."""
    tokens = await bed.stock.tokens(count, age=2 * HOURS)
    job = Job(
        ports=ports,
        connections=REFRESHING,
        seconds=pace.seconds,
        once=True,
        expect="HTTP/1.1 200",
        holds="privateKey",
    )
    return await measured(bed, job, [stock.refresh(token) for token in tokens])
