"""One link and one refresh, again and again, each time with a process that dies one word later than the time before.

A process can only change the world by what it sends to the database and to the broker. So its crash points are the moments
before and after each of these sendings, and all of them are tried, without a hook in the product.
"""

import asyncio
from itertools import count
from pathlib import Path

import aiohttp

from tests.chaos.cluster import SERVICES, Cluster, account
from tests.chaos.experiments.base import experiment
from tests.chaos.households import Household
from tests.chaos.proxies import Strike

SERVERS = ("database", "broker")
MOST_POINTS = 120
"""Of one service at one server; a process that has more to say than this is stuck in a loop."""


@experiment(
    19,
    "Each service in turn dies before and after every single word it says to the database and to the broker.",
    traffic=False,
    seconds=1500,
)
async def crash_points(cluster: Cluster) -> None:
    for service in ("auth_worker", "token_worker", "gateway"):
        places = [index for index, kind in enumerate(SERVICES) if kind == service]
        for place in places:
            # The victim stands alone where it can, so that it is the one that is spoken to.
            cluster.system.processes[place].kill()
        for server in SERVERS:
            for before in (True, False):
                points = await _every_point(cluster, service, server, before=before)
                when = "before" if before else "after"
                cluster.ledger.facts.append(f"{service}: {points} points {when} a word to the {server}")
        for place in places:
            cluster.system.processes[place] = cluster.restarted(place)
        await cluster.system.ready()


async def _every_point(cluster: Cluster, service: str, server: str, *, before: bool) -> int:
    laid = cluster.victim_cables[SERVERS.index(server)]
    for at in count(1):
        process = cluster.start_victim(service)
        await _ready(cluster, service, process.log)
        strike = Strike(at=at, before=before, act=process.kill)
        laid.arm(strike)
        name = f"Sonos_{service}_{server}_{before}_{at}"
        life = asyncio.create_task(_live(cluster, name))
        while not strike.done and not life.done():
            await asyncio.sleep(0.05)
        laid.arm(None)
        if strike.done:
            process = cluster.start_victim(service)
        try:
            async with asyncio.timeout(60):
                await life
        except TimeoutError:
            cluster.ledger.surprise(f"{name} came to no end")
        process.kill()
        if not strike.done:
            return at - 1
        if at >= MOST_POINTS:
            cluster.ledger.surprise(f"{service} says more than {at} words to the {server} for one household")
            return at
    raise AssertionError


async def _live(cluster: Cluster, name: str) -> None:
    """Link, refresh once, and be well."""
    ledger = cluster.ledger
    household = Household(name, [cluster.system.gateways[0]], ledger, asyncio.Event(), account=account(0))
    ledger.attempted.add(name)
    timeout = aiohttp.ClientTimeout(total=20)
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(
        timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        pair = await household.link(http)
        ledger.acknowledged.add(name)
        pair = await household.use(http, pair)
        await household.use(http, pair)
        ledger.settled.add(name)


async def _ready(cluster: Cluster, service: str, log: Path) -> None:
    if service == "gateway":
        async with aiohttp.ClientSession() as http, asyncio.timeout(60):
            while True:
                try:
                    async with http.get(f"{cluster.system.gateways[0]}/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
    async with asyncio.timeout(60):
        while "worker started" not in log.read_text():
            await asyncio.sleep(0.05)
