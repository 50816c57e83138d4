"""One link and one refresh, again and again, each time with a process that dies one word later than the time before.

A process can only change the world by what it sends to the database and to the broker. So its crash points are the moments
before and after each of these sendings, and all of them are tried, without a hook in the product.
"""

import asyncio

from tests.chaos.cluster import Cluster, account
from tests.chaos.experiments.base import experiment
from tests.chaos.households import Household, new_http
from tests.chaos.proxies import Strike

LIFE_SECONDS = 180.0
"""In which every household has to come to a good end; on a quiet machine it takes two."""
SERVERS = ("database", "broker")
MOST_POINTS = 120
"""Of one service at one server; a process that has more to say than this is stuck in a loop."""


@experiment(
    19,
    "Each service in turn dies before and after every single word it says to the database and to the broker.",
    traffic=False,
    seconds=7200,
)
async def crash_points(cluster: Cluster) -> None:
    for service in ("auth_worker", "token_worker", "gateway"):
        places = cluster.places(service)
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
        await cluster.ready()


async def _every_point(cluster: Cluster, service: str, server: str, *, before: bool) -> int:
    """Kill at every point, one after the other, until a household lives without reaching the next; return how many there are."""
    laid = cluster.victim_cables[SERVERS.index(server)]
    process = await cluster.ready_victim(service)
    for at in range(1, MOST_POINTS + 1):
        strike = Strike(at=at, before=before, act=process.kill)
        laid.arm(strike)
        name = f"Sonos_{service}_{server}_{before}_{at}"
        life = asyncio.create_task(_live(cluster, name))
        while not strike.done and not life.done():
            await asyncio.sleep(0.05)
        laid.arm(None)
        if strike.done:
            # It goes on with this household, and is the victim of the next.
            process = await cluster.ready_victim(service)
        try:
            async with asyncio.timeout(LIFE_SECONDS):
                await life
        except TimeoutError:
            cluster.ledger.surprise(f"{name} came to no end")
        if not strike.done:
            process.kill()
            return at - 1
    process.kill()
    cluster.ledger.surprise(f"{service} says more than {MOST_POINTS} words to the {server} for one household")
    return MOST_POINTS


async def _live(cluster: Cluster, name: str) -> None:
    """Link, refresh once, and be well."""
    ledger = cluster.ledger
    household = Household(name, [cluster.system.gateways[0]], ledger, asyncio.Event(), account=account(0))
    ledger.attempted.add(name)
    async with new_http() as http:
        pair = await household.link(http)
        ledger.acknowledged.add(name)
        pair = await household.use(http, pair)
        await household.use(http, pair)
        ledger.settled.add(name)
