"""What comes from outside and is not honest: while it lasts, those who are honest wait no longer than twice their time."""

import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack

import aiohttp

from tests.chaos.cluster import Cluster
from tests.chaos.experiments.base import experiment
from tests.play.abuse import MARK, Abuse, cases, commit, connected
from tests.play.sonos import Sonos

SECONDS = 20.0
"""How long honest polls are measured, without abuse and with it."""
POLLERS = 8
PAUSE = 0.1
"""Between two polls of one household; Sonos makes seconds of it."""
IDLE = 500
SLOW_SECONDS = 15.0
"""In which a connection that is slow has to be closed."""
MOST_TIMES_SLOWER = 2.0
MOST_LOGGED = 1 << 20
"""Bytes that all of it may add to the logs of both gateways."""


@experiment(
    27,
    "Every kind of HTTP abuse, again and again, and five hundred idle connections, while honest households poll.",
    gate=True,
    traffic=False,
)
async def http_abuse(cluster: Cluster) -> None:
    ledger = cluster.ledger
    ledger.attempted.add("polls")
    every = cases()  # made before anything is measured: a bomb takes its maker longer than its target
    baseline = await _honest_p99(cluster)
    logged = sum(process.log.stat().st_size for process in cluster.system.processes[:2])
    stop = asyncio.Event()
    outcomes: Counter[str] = Counter()
    with cluster.fault():
        async with AsyncExitStack() as stack:
            for number in range(IDLE):
                await stack.enter_async_context(connected(cluster.system.gateways[number % 2], patience=300))
            abusers = [
                asyncio.create_task(_abuse(gateway, every, stop, outcomes))
                for gateway in cluster.system.gateways
            ]
            slow = [
                asyncio.create_task(_closed_after(gateway, begun))
                for gateway in cluster.system.gateways
                for begun in (
                    f"GET /livez HTTP/1.1\r\nHost: a\r\nX-Mark: {MARK}\r\n",
                    "POST /smapi HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n<a>",
                )
            ]
            under_abuse = await _honest_p99(cluster)
            stop.set()
            await asyncio.gather(*abusers)
            slowest = max(await asyncio.gather(*slow))
    logged = sum(process.log.stat().st_size for process in cluster.system.processes[:2]) - logged
    ledger.facts.append(
        f"p99 of honest polls: {baseline * 1000:.1f} ms, under abuse {under_abuse * 1000:.1f} ms; "
        f"{outcomes.total()} abuses: {dict(outcomes)}; slow ones closed after {slowest:.1f} s; {logged} bytes logged"
    )
    if under_abuse >= MOST_TIMES_SLOWER * baseline:
        ledger.surprise(f"honest polls took {under_abuse / baseline:.1f} times as long")
    if slowest > SLOW_SECONDS:
        ledger.surprise(f"a slow connection lived for {slowest:.1f} s")
    if wrong := {outcome for outcome in outcomes if outcome != "refused"}:
        ledger.surprise(f"abuse was {', '.join(sorted(wrong))}")
    if logged > MOST_LOGGED:
        ledger.surprise(f"{logged} bytes were logged")
    if MARK in cluster.system.logs():
        ledger.surprise("bytes of a request stand in a log")
    ledger.acknowledged.add("polls")
    ledger.settled.add("polls")


async def _honest_p99(cluster: Cluster) -> float:
    """Poll for links that nobody finishes, and return the 99th percentile of how long an answer took, in seconds."""
    took: list[float] = []
    ends = time.monotonic() + SECONDS

    async def poll(sonos: Sonos) -> None:
        link = await sonos.get_app_link()
        while time.monotonic() < ends:
            started = time.perf_counter()
            answer = await sonos.poll(link)
            took.append(time.perf_counter() - started)
            if answer.fault != "Client.NOT_LINKED_RETRY":
                cluster.ledger.surprise(f"an honest poll was told {answer.fault}")
            await asyncio.sleep(PAUSE)

    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        gateways = itertools.cycle(cluster.system.gateways)
        await asyncio.gather(
            *(poll(Sonos(http, f"{next(gateways)}/smapi", f"Sonos_edge{n}")) for n in range(POLLERS))
        )
    return statistics.quantiles(took, n=100)[98]


async def _abuse(
    gateway: str, every: Mapping[str, Abuse], stop: asyncio.Event, outcomes: Counter[str]
) -> None:
    """Commit every abuse, one after the other, until it is enough."""
    for name, abuse in itertools.cycle(every.items()):
        if stop.is_set():
            return
        first, rest = await commit(gateway, abuse)
        refused = first is not None and first.status in abuse.statuses and len(rest) <= 1
        outcomes["refused" if refused else f"not refused: {name}"] += 1
        await asyncio.sleep(PAUSE)


async def _closed_after(gateway: str, begun: str) -> float:
    """Send what never ends; return the seconds until the connection is closed."""
    started = time.monotonic()
    async with connected(gateway, patience=60) as client:
        await client.send(begun.encode())
        await client.replies()
    return time.monotonic() - started
