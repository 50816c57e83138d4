"""Races that the protocol allows: one token refreshed by many, one link finished by two, codes that are guessed."""

import asyncio
import random
import time
from collections import Counter

import aiohttp

from tests.chaos.cluster import BRIEF_CODES, Cluster, account
from tests.chaos.experiments.base import experiment
from tests.chaos.households import Household
from tests.play.database import execute
from tests.play.person import Person
from tests.play.sonos import Sonos, pair_of

PRESENTERS = 50
JUDGED_SECONDS = 20.0
"""In which whoever signed in has to be on record."""
POLLS = 100
GUESSES = 5_000
GUESSERS = 16


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


@experiment(
    24,
    "Two people finish one link with two accounts, while a hundred polls ask for it at once.",
    gate=True,
    traffic=False,
)
async def two_people_one_link(cluster: Cluster) -> None:
    ledger = cluster.ledger
    ((before,),) = await execute(cluster.database_url, "SELECT coalesce(max(event_id), 0) FROM audit_events")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        ends = [Sonos(http, f"{gateway}/smapi", "Sonos_two") for gateway in cluster.system.gateways]
        link = await ends[0].get_app_link()
        ledger.attempted.add("two")
        both = asyncio.Barrier(2)
        titles = await asyncio.gather(*(_try_to_link(link.reg_url, number, both) for number in range(2)))
        answers = await asyncio.gather(*(ends[number % 2].poll(link) for number in range(POLLS)))
    given = {pair_of(answer) for answer in answers if answer.fault is None}
    faults = Counter(answer.fault for answer in answers if answer.fault)
    if len(given) != 1 or faults:
        ledger.surprise(f"{len(given)} pairs and {dict(faults)} for one link")
    if sorted(title == "Your Sonos system is linked" for title in titles) != [False, True]:
        ledger.surprise(f"the two people were told {titles}")
    # The page of the one who comes second says so as soon as the first is through, while their password may still be looked at.
    deadline, accounts = time.monotonic() + JUDGED_SECONDS, 0
    while accounts < 2 and time.monotonic() < deadline:
        ((accounts,),) = await execute(
            cluster.database_url,
            "SELECT count(DISTINCT account_id) FROM audit_events"
            " WHERE kind = 'login.authenticated' AND event_id > :before",
            before=before,
        )
        await asyncio.sleep(0.05)
    ledger.facts.append(f"the two were told {titles}; the audit names {accounts} accounts")
    if accounts != 2:
        ledger.surprise(f"the audit names {accounts} accounts that signed in, not two")
    ledger.acknowledged.add("two")
    ledger.settled.add("two")


@experiment(
    29, "Five thousand guessed link codes, polled as fast as two gateways answer, while households link."
)
async def guessed_codes(cluster: Cluster) -> None:
    source = random.Random(29)
    outcomes: Counter[str] = Counter()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        ends = [Sonos(http, f"{gateway}/smapi", "Sonos_guesser") for gateway in cluster.system.gateways]

        async def guess(end: Sonos) -> None:
            for _ in range(GUESSES // GUESSERS):
                code = "k" + "".join(source.choices("abcdefghijklmnopqrstuvwxyz234567", k=31))
                answer = await end.call(
                    "getDeviceAuthToken",
                    {"householdId": end.household, "linkCode": code, "linkDeviceId": code},
                )
                outcomes[answer.fault or "ok"] += 1

        with cluster.fault():
            await asyncio.gather(*(guess(ends[number % 2]) for number in range(GUESSERS)))
    cluster.ledger.facts.append(f"{outcomes.total()} guesses: {dict(outcomes)}")
    if set(outcomes) != {"Client.NOT_LINKED_FAILURE"}:
        cluster.ledger.surprise(f"guesses were answered with {dict(outcomes)}")


@experiment(
    34,
    "No worker of either kind for the whole life of a link code; then they come back.",
    stage=BRIEF_CODES,
    begins_again=True,
    down="both workers",
)
async def workers_dead_for_a_life(cluster: Cluster) -> None:
    places = cluster.places("auth_worker", "token_worker")
    for index in places:
        cluster.system.processes[index].kill()
    with cluster.fault():
        await asyncio.sleep(130)  # the code's own minute, and the minute of grace
    for index in places:
        cluster.system.processes[index] = cluster.restarted(index)


async def _try_to_link(reg_url: str, number: int, both: asyncio.Barrier) -> str:
    name, password = account(number)
    async with Person() as person:
        page = await person.open(reg_url)
        # Who opens the page when the other has signed in is told so, and has nothing to race for.
        await both.wait()
        page = await person.press(page, "Sign in", name=name, password=password)
        if "Allow" in page.buttons:
            page = await person.press(page, "Allow")
        return page.title
