"""An identity provider that fails in every way: while people sign in, and when it is asked again whether they are there."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from tests.chaos.cluster import WITH_PROVIDER, Cluster
from tests.chaos.experiments.base import experiment
from tests.chaos.households import new_http
from tests.play.database import execute
from tests.play.forger import Claims, Handler, Trouble
from tests.play.operator import PATIENCE
from tests.play.person import Person
from tests.play.sonos import Link, Pair, Sonos, pair_of

CONTINUE = "Continue with Corp"


def _answering(status: int, **headers: str) -> Trouble:
    async def answer(_: web.Request, __: Handler) -> web.StreamResponse:
        return web.json_response({}, status=status, headers=headers)

    return answer


async def _slow(request: web.Request, handler: Handler) -> web.StreamResponse:
    await asyncio.sleep(30)
    return await handler(request)


async def _lost(request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    assert request.transport is not None
    request.transport.abort()
    return answer


async def _refused(_: web.Request, __: Handler) -> web.StreamResponse:
    return web.json_response({"error": "invalid_grant"}, status=400)


async def _rubbish(_: web.Request, __: Handler) -> web.StreamResponse:
    return web.Response(text="<html>maintenance</html>", content_type="text/html")


def _bent(**claims: str) -> Callable[[Claims], Claims]:
    return lambda honest: honest | claims


HONEST = _bent()


@dataclass(frozen=True, kw_only=True)
class _Fault:
    """What the provider does instead of answering, or what it says that is wrong."""

    trouble: Trouble | None = None
    bend: Callable[[Claims], Claims | None] = HONEST
    is_the_end: bool = False
    """Whether the provider says, when it is asked again, that the person is gone."""


FAULTS = {
    "nothing for 30 seconds": _Fault(trouble=_slow),
    "500": _Fault(trouble=_answering(500)),
    "429 with Retry-After": _Fault(trouble=_answering(429, **{"Retry-After": "60"})),
    "a page of HTML": _Fault(trouble=_rubbish),
    "an answer that is lost": _Fault(trouble=_lost),
    "invalid_grant": _Fault(trouble=_refused, is_the_end=True),
    "another iss": _Fault(bend=_bent(iss="https://evil.example.com")),
    "another aud": _Fault(bend=_bent(aud="somebody-else")),
    "another nonce": _Fault(bend=_bent(nonce="canary-nonce-of-nobody")),
}


@experiment(
    25,
    "The identity provider is slow, breaks, refuses, loses its answer, or lies: at sign-in, and when it is asked again.",
    stage=WITH_PROVIDER,
    traffic=False,
    seconds=900,
    down="the identity provider",
)
async def provider_fails(cluster: Cluster) -> None:
    async with new_http() as http:
        await known(cluster)
        for number, (name, fault) in enumerate(FAULTS.items()):
            sonos = Sonos(http, cluster.system.endpoint, f"Sonos_corp{number}")
            cluster.ledger.attempted.add(sonos.household)
            with cluster.fault():
                pair = await sign_in_despite(cluster, sonos, name)
                cluster.ledger.acknowledged.add(sonos.household)
                if await _is_well_after_a_recheck(cluster, sonos, pair, fault):
                    cluster.ledger.settled.add(sonos.household)
                else:
                    cluster.ledger.surprise(f"{name}: not well after the provider was asked again")
    cluster.ledger.facts.append(f"{len(FAULTS)} ways to fail, each at a sign-in and at a question")


async def known(cluster: Cluster) -> None:
    """Wait until the gateways know where the provider is."""
    async with asyncio.timeout(PATIENCE):
        while not await execute(cluster.database_url, "SELECT 1 FROM provider_metadata"):
            await asyncio.sleep(0.05)


async def sign_in_despite(cluster: Cluster, sonos: Sonos, name: str) -> Pair:
    """Sign in while the provider fails, and again when it is well; return the pair."""
    forger, fault = cluster.forger, FAULTS[name]
    link = await sonos.get_app_link()
    async with Person() as person:
        person.http.cookie_jar.update_cookies({"who": sonos.household})
        page = await person.open(link.reg_url)
        forger.trouble, forger.bend = fault.trouble, fault.bend
        refused = await person.follow(page, CONTINUE)
        forger.trouble, forger.bend = None, HONEST
        pending = await sonos.poll(link)
        cluster.ledger.answered("poll", pending.fault or "ok")
        if CONTINUE not in refused.links or pending.fault != "Client.NOT_LINKED_RETRY":
            cluster.ledger.surprise(
                f"{name}: no second try: {refused.title!r}, and a poll said {pending.fault}"
            )
        await _until_linked(person, link)
        cluster.ledger.note(*(cookie.value for cookie in person.http.cookie_jar if cookie.key != "who"))
    cluster.ledger.note(link.code, link.device_id)
    return pair_of(await sonos.poll(link))


async def _until_linked(person: Person, link: Link) -> None:
    """Do what the page asks until it says that all is done, as often as that takes."""
    while True:
        with suppress(aiohttp.ClientError, TimeoutError):
            page = await person.open(link.reg_url)
            if CONTINUE in page.links:
                page = await person.follow(page, CONTINUE)
            if "Allow" in page.buttons:
                page = await person.press(page, "Allow")
            if page.way_back:
                return
        await asyncio.sleep(0.2)


async def _is_well_after_a_recheck(cluster: Cluster, sonos: Sonos, pair: Pair, fault: _Fault) -> bool:
    """Have the provider asked while it fails, and tell whether the household is as it should be afterwards."""
    forger, who = cluster.forger, sonos.household
    before = len(forger.asked("/token"))
    await _let_two_hours_pass(cluster, who)
    forger.trouble, forger.bend = fault.trouble, fault.bend
    pair = await _refreshed(cluster, sonos, pair)
    await _until(cluster, "claim IS NULL", who)
    forger.trouble, forger.bend = None, HONEST
    for _ in range(3):
        # Nobody asks a provider that fails again and again.
        pair = await _refreshed(cluster, sonos, pair)
    if (asked := len(forger.asked("/token")) - before) != 1:
        cluster.ledger.surprise(f"the provider was asked {asked} times about {who}")
    if fault.is_the_end:
        return await _ends_and_begins_again(cluster, sonos, pair)
    if fault.trouble is _lost:
        await _ask_again(cluster, sonos, pair)
    return (await sonos.root(pair)).fault is None


async def _ends_and_begins_again(cluster: Cluster, sonos: Sonos, pair: Pair) -> bool:
    async with asyncio.timeout(PATIENCE):
        while (answer := await sonos.root(pair)).fault is None:
            await asyncio.sleep(0.05)
    if answer.fault != "Client.AuthTokenExpired":
        cluster.ledger.surprise(f"{sonos.household}, whose person is gone, was told {answer.fault}")
    link = await sonos.get_app_link()
    async with Person() as person:
        person.http.cookie_jar.update_cookies({"who": sonos.household})
        await _until_linked(person, link)
    return (await sonos.root(pair_of(await sonos.poll(link)))).fault is None


async def _ask_again(cluster: Cluster, sonos: Sonos, pair: Pair) -> None:
    """Have the provider asked with the token that it has used up without our knowing: its "no" ends nothing."""
    for index in cluster.places("token_worker"):
        cluster.kill(index)  # they remember whom they have asked about
    await _let_two_hours_pass(cluster, sonos.household)
    await _refreshed(cluster, sonos, pair)
    async with asyncio.timeout(PATIENCE):
        while not await execute(
            cluster.database_url, "SELECT 1 FROM audit_events WHERE kind = 'account.recheck_unknown'"
        ):
            await asyncio.sleep(0.05)


async def _refreshed(cluster: Cluster, sonos: Sonos, pair: Pair) -> Pair:
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await _ask_for_refresh(sonos, pair)
            if answer is not None:
                cluster.ledger.answered("refresh", answer.fault or "ok")
                if answer.fault != "Server.ServiceUnavailable":
                    return pair_of(answer) if answer.fault is None else pair
            await asyncio.sleep(0.1)


async def _ask_for_refresh(sonos: Sonos, pair: Pair) -> Any:
    try:
        return await sonos.call("refreshAuthToken", pair=pair)
    except aiohttp.ClientError:
        return None


async def _let_two_hours_pass(cluster: Cluster, who: str) -> None:
    """It is time to ask again about somebody."""
    account = "account_id = (SELECT account_id FROM accounts WHERE subject = :who)"
    for change in ("provider_tokens SET checked_at = checked_at - 7200", "account_checks SET next_at = 0"):
        await execute(cluster.database_url, f"UPDATE {change} WHERE {account}", who=who)


async def _until(cluster: Cluster, state: str, who: str) -> None:
    """Wait until the question about somebody is over."""
    query = f"SELECT 1 FROM account_checks JOIN accounts USING (account_id) WHERE subject = :who AND {state}"
    async with asyncio.timeout(PATIENCE):
        while not await execute(cluster.database_url, query, who=who):
            await asyncio.sleep(0.05)
