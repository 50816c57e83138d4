"""Refresh under pressure: many presenters at once, and answers that never arrive."""

import asyncio
from urllib.parse import urlsplit

import aiohttp

from tests.e2e.test_link import link_household
from tests.play.database import execute
from tests.play.operator import System
from tests.play.person import Person
from tests.play.proxy import cable
from tests.play.sonos import Answer, Pair, Sonos, pair_of

ROUNDS = 200
PRESENTERS = 64
LOST_ANSWERS = 1000
AT_A_TIME = 20


async def test_presenters_converge_round_after_round(processes: System, sonos: Sonos, person: Person) -> None:
    """Sixty-four players on two gateways present the same pair two hundred times: one generation more, one pair."""
    pair = await link_household(sonos, person)
    ends = [Sonos(sonos.http, f"{gateway}/smapi") for gateway in processes.gateways]
    unavailable = 0
    for _ in range(ROUNDS):
        answers = await asyncio.gather(*(_refresh(ends[n % 2], pair) for n in range(PRESENTERS)))
        faults = {answer.fault for answer in answers}
        assert faults <= {None, "Server.ServiceUnavailable"}
        unavailable += sum(answer.fault is not None for answer in answers)
        (pair,) = {pair_of(answer) for answer in answers if answer.fault is None}
    ((family, generation),) = await execute(processes.database_url, "SELECT family, generation FROM grants")

    assert (1, ROUNDS + 1) == (family, generation)
    assert unavailable < ROUNDS * PRESENTERS * 0.01


async def test_lost_answers_are_given_again(embedded: System, sonos: Sonos, person: Person) -> None:
    """A thousand answers are cut after the worker has committed; each player gets the identical pair at its first retry."""
    pair = await link_household(sonos, person)
    gateway = urlsplit(embedded.gateways[0])
    async with (
        cable(str(gateway.hostname), int(str(gateway.port))) as (wire, address),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http,
    ):
        far = Sonos(http, f"{address}/smapi")
        for _ in range(LOST_ANSWERS // AT_A_TIME):
            wire.cut_answers = True
            lost = await asyncio.gather(*(_refresh_in_vain(far, pair) for _ in range(AT_A_TIME)))
            wire.cut_answers = False
            assert all(lost)
            answers = await asyncio.gather(*(_refresh(far, pair) for _ in range(AT_A_TIME)))
            (pair,) = {pair_of(answer) for answer in answers}
        generations = await execute(embedded.database_url, "SELECT generation FROM grants")

    assert LOST_ANSWERS == wire.lost
    assert [(1 + LOST_ANSWERS // AT_A_TIME,)] == generations


async def _refresh(sonos: Sonos, pair: Pair) -> Answer:
    return await sonos.call("refreshAuthToken", pair=pair)


async def _refresh_in_vain(sonos: Sonos, pair: Pair) -> bool:
    try:
        await _refresh(sonos, pair)
    except aiohttp.ClientConnectionError:
        return True
    return False
