"""What goes through broker and workers: refreshes, approvals, and how it grows with processes."""

import asyncio
import statistics
import time

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
            closed.append(await refresh_each(bed, port, pace, count=min(most, round(6_000 * pace.seconds))))
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


async def refresh_each(bed: Bed, port: int, pace: Pace, *, count: int) -> Measured:
    """Refresh stale tokens, each once."""
    tokens = await bed.stock.tokens(count, age=2 * HOURS)
    job = Job(
        ports=[port],
        connections=REFRESHING,
        seconds=pace.seconds,
        once=True,
        expect="HTTP/1.1 200",
        holds="privateKey",
    )
    return await measured(bed, job, [stock.refresh(token) for token in tokens])
