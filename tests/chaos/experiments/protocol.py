"""Races that the protocol allows: one token refreshed by many, one link finished by two."""

import asyncio

import aiohttp

from tests.chaos.cluster import Cluster, account
from tests.chaos.experiments.base import experiment
from tests.chaos.households import Household
from tests.play.sonos import Sonos, pair_of

PRESENTERS = 50


@experiment(
    23, "Fifty players refresh one token at once, on both gateways, ten times over.", gate=True, traffic=False
)
async def refresh_race(cluster: Cluster) -> None:
    ledger = cluster.ledger
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        household = Household(
            "Sonos_race",
            list(cluster.system.gateways),
            ledger,
            asyncio.Event(),
            account=account(0),
        )
        pair = await household.link(http)
        ledger.attempted.add("race")
        ledger.acknowledged.add("race")
        ends = [Sonos(http, f"{gateway}/smapi", "Sonos_race") for gateway in cluster.system.gateways]
        for _ in range(10):
            answers = await asyncio.gather(
                *(ends[number % 2].call("refreshAuthToken", pair=pair) for number in range(PRESENTERS))
            )
            for answer in answers:
                if answer.fault not in {None, "Server.ServiceUnavailable"}:
                    ledger.surprise(f"a presenter was told {answer.fault}")
            given = {pair_of(answer) for answer in answers if answer.fault is None}
            if len(given) != 1:
                ledger.surprise(f"{len(given)} pairs for one generation")
            pair = given.pop()
        if (await ends[0].root(pair)).fault is None:
            ledger.settled.add("race")
