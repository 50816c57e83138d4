"""Answers that never arrive: the gateway dies over them, or the network loses them."""

import asyncio
from urllib.parse import urlsplit

import aiohttp

from tests.chaos.cluster import Cluster, account
from tests.chaos.experiments.base import experiment
from tests.chaos.households import Household, new_http, numbers_of
from tests.chaos.proxies import Strike
from tests.play.operator import Process
from tests.play.person import Person
from tests.play.sonos import SMAPI, Link, Pair, Sonos, pair_of

LINKS = 3
LOST = 1_000
GENERATIONS = 10
AT_ONCE = 10


@experiment(
    35,
    "The gateway dies between a poll and its answer, and is started again: before the link is done, and after.",
    traffic=False,
)
async def gateway_dies_over_a_poll(cluster: Cluster) -> None:
    cluster.system.processes[0].kill()
    async with new_http() as http:
        for number in range(LINKS):
            sonos = Sonos(http, f"{cluster.system.gateways[0]}/smapi", f"Sonos_struck{number}")
            await _link_over_deaths(cluster, sonos, account(number % 2))
    cluster.system.processes[0] = cluster.restarted(0)


async def _link_over_deaths(cluster: Cluster, sonos: Sonos, who: tuple[str, str]) -> None:
    ledger, (name, password) = cluster.ledger, who
    ledger.attempted.add(sonos.household)
    victim = await cluster.ready_victim("gateway")
    link = await sonos.get_app_link()
    victim = await _die_over_a_poll(cluster, victim, sonos, link)
    pending = await sonos.poll(link)
    async with Person() as person:
        await person.complete(link.reg_url, name=name, password=password)
    victim = await _die_over_a_poll(cluster, victim, sonos, link)
    given, again = await sonos.poll(link), await sonos.poll(link)
    if (pending.fault, given.fault, again.fault) != ("Client.NOT_LINKED_RETRY", None, None):
        ledger.surprise(f"{sonos.household} was told {pending.fault}, {given.fault}, {again.fault}")
    elif pair_of(given) != pair_of(again):
        ledger.surprise(f"{sonos.household} was given two pairs")
    else:
        ledger.acknowledged.add(sonos.household)
        if (await sonos.root(pair_of(again))).fault is None:
            ledger.settled.add(sonos.household)
    victim.kill()


async def _die_over_a_poll(cluster: Cluster, victim: Process, sonos: Sonos, link: Link) -> Process:
    """Poll, and have the gateway die when it has just asked the database; return the one that stands there then."""
    strike = Strike(at=1, before=False, act=victim.kill)
    cluster.victim_cables[0].arm(strike)
    try:
        answer = await sonos.poll(link)
        cluster.ledger.surprise(f"{sonos.household} was answered {answer.fault} by a gateway that had died")
    except aiohttp.ClientError:
        pass
    cluster.victim_cables[0].arm(None)
    if not strike.done:
        cluster.ledger.surprise("the gateway did not ask the database, so nothing was tested")
    return await cluster.ready_victim("gateway")


@experiment(
    36,
    f"The answer to a refresh is lost {LOST} times: a household presents each of {GENERATIONS} pairs again and again.",
    traffic=False,
)
async def refresh_answers_lost(cluster: Cluster) -> None:
    ledger, name = cluster.ledger, "Sonos_lost_answers"
    gateways = list(cluster.system.gateways)
    ledger.attempted.add(name)
    async with new_http() as http:
        household = Household(name, gateways, ledger, asyncio.Event(), account=account(0))
        first = pair = await household.link(http)
        ledger.acknowledged.add(name)
        for _ in range(GENERATIONS):
            for _ in range(LOST // GENERATIONS // AT_ONCE):
                await asyncio.gather(*(_lose_answer(gateways[n % 2], name, pair) for n in range(AT_ONCE)))
            pair = await household.use(http, pair)
        end = Sonos(http, f"{gateways[0]}/smapi", name)
        if (await end.root(pair)).fault is None:
            ledger.settled.add(name)
    (_, family, generation), (_, family_now, generation_now) = numbers_of(first.token), numbers_of(pair.token)
    ledger.facts.append(f"{LOST} answers lost, {generation_now - generation} generations went by")
    if (family_now, generation_now) != (family, generation + GENERATIONS):
        ledger.surprise(
            f"family {family}, generation {generation} became {family_now}, {generation_now} by {GENERATIONS} refreshes"
        )


async def _lose_answer(gateway: str, household: str, pair: Pair) -> None:
    """Ask for a refresh, wait until the answer begins to arrive, and hang up."""
    parts = urlsplit(gateway)
    async with aiohttp.ClientSession() as unused:
        body = Sonos(unused, gateway, household).envelope("refreshAuthToken", {}, pair)
    head = (
        f'POST /smapi HTTP/1.1\r\nHost: {parts.netloc}\r\nSOAPAction: "{SMAPI}#refreshAuthToken"\r\n'
        f"Content-Type: text/xml; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(head.encode() + body)
        await writer.drain()
        await reader.read(1)
    finally:
        writer.transport.abort()
