"""Simulated households: each adds the service, signs in with a browser, browses and refreshes, and never gives up.

They take from the system what Sonos and people take, and nothing else: an answer, a fault, a page, or silence.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import TypeVar

import aiohttp
from lxml import etree

from tests.chaos.ledger import Ledger
from tests.play.person import Person
from tests.play.sonos import Answer, Link, Pair, Sonos, pair_of

AGAIN_SECONDS = 0.2
"""Between two tries; Sonos waits longer, people do not."""
CALL_SECONDS = 20.0
"""Sonos's own patience."""
MAY_PASS = {"Server.ServiceUnavailable", "Client.NOT_LINKED_RETRY"}
"""Faults that ask to come again, and end nothing."""

T = TypeVar("T")


class LinkFailed(Exception):
    """The link's time is over, in an experiment where that may be."""


class Household:
    """One household and the person who lives there."""

    def __init__(
        self,
        name: str,
        gateways: list[str],
        ledger: Ledger,
        stop: asyncio.Event,
        *,
        account: tuple[str, str],
        begins_again: bool = False,
    ) -> None:
        self.name = name
        self._gateways = cycle(gateways)
        self._ledger = ledger
        self._stop = stop
        self._account = account
        self._begins_again = begins_again

    async def live(self, *, after: float) -> None:
        """Wait *after* seconds; link, use and refresh until told to stop; then prove that the pair still opens the service."""
        await asyncio.sleep(after)
        self._ledger.attempted.add(self.name)
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        # A new connection for each call, so that calls go to whichever gateway is there.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        ) as http:
            pair = await self.link(http)
            self._ledger.acknowledged.add(self.name)
            while not self._stop.is_set():
                pair = await self.use(http, pair)
                await asyncio.sleep(AGAIN_SECONDS)
            pair = await self.use(http, pair)
            self._ledger.settled.add(self.name)

    async def link(self, http: aiohttp.ClientSession) -> Pair:
        """Add the service, whatever stands in the way."""
        while True:
            try:
                return await self._try_to_link(http)
            except LinkFailed:
                self._ledger.facts.append("a household began again")

    async def _try_to_link(self, http: aiohttp.ClientSession) -> Pair:
        link = await self._until_done("getAppLink", lambda: self._sonos(http).get_app_link_answer(), _link_of)
        person = asyncio.create_task(self._person(link))
        try:
            return await self._until_done("poll", lambda: self._sonos(http).poll(link), self._pair)
        finally:
            person.cancel()
            await asyncio.gather(person, return_exceptions=True)

    async def use(self, http: aiohttp.ClientSession, pair: Pair) -> Pair:
        """Browse, refresh, and return the new pair."""
        await self._until_done("guarded call", lambda: self._sonos(http).root(pair), lambda answer: answer)
        return await self._until_done(
            "refresh", lambda: self._sonos(http).call("refreshAuthToken", pair=pair), self._pair
        )

    def _sonos(self, http: aiohttp.ClientSession) -> "_Sonos":
        return _Sonos(http, f"{next(self._gateways)}/smapi", household=self.name)

    async def _until_done(
        self, operation: str, ask: Callable[[], Awaitable[Answer]], read: Callable[[Answer], T]
    ) -> T:
        """Ask until there is a result; every other answer but "come again" is a surprise."""
        while True:
            try:
                answer = await ask()
            except (aiohttp.ClientError, TimeoutError, OSError):
                self._ledger.answered(operation, "no answer")
            except (etree.XMLSyntaxError, AssertionError) as error:
                self._ledger.surprise(f"{operation}: no SOAP: {error!r:.200}")
            else:
                self._ledger.answered(operation, answer.fault or "ok")
                if answer.fault is None:
                    return read(answer)
                if answer.fault == "Client.NOT_LINKED_FAILURE" and self._begins_again:
                    raise LinkFailed
                if answer.fault not in MAY_PASS:
                    self._ledger.surprise(f"{operation} of {self.name}: {answer.fault}")
            await asyncio.sleep(AGAIN_SECONDS)

    def _pair(self, answer: Answer) -> Pair:
        pair = pair_of(answer)
        self._ledger.pairs[_numbers(pair.token)].add(f"{pair.token} {pair.key}")
        return pair

    async def _person(self, link: Link) -> None:
        """Do what the page asks, whatever it shows, until it says that all is done."""
        name, password = self._account
        async with Person() as person:
            while True:
                try:
                    async with asyncio.timeout(CALL_SECONDS):
                        # The public address is one gateway's; people come through whichever is there.
                        path = link.reg_url.split("/", 3)[3]
                        page = await person.open(f"{next(self._gateways)}/{path}")
                        self._ledger.answered("page", "ok" if page.status < 500 else "try again")
                        if "Sign in" in page.buttons:
                            page = await person.press(page, "Sign in", name=name, password=password)
                        if "Allow" in page.buttons:
                            page = await person.press(page, "Allow")
                        if page.way_back:
                            return
                except (aiohttp.ClientError, TimeoutError, OSError, etree.ParserError):
                    self._ledger.answered("page", "no answer")
                await asyncio.sleep(AGAIN_SECONDS)


class _Sonos(Sonos):
    """Sonos, whose getAppLink may be refused."""

    async def get_app_link_answer(self) -> Answer:
        """Begin to add the service."""
        return await self.call(
            "getAppLink",
            {
                "householdId": self.household,
                "hardware": "iPhone17,5",
                "osVersion": "Version 26.2 (Build 23C55)",
                "sonosAppName": "ICRU_iPhone17,5",
                "callbackPath": "sonos-2://x-callback-url/addAccount?state=x",
            },
        )


def _link_of(answer: Answer) -> Link:
    return Link(reg_url=answer["regUrl"], code=answer["linkCode"], device_id=answer["linkDeviceId"])


def _numbers(token: str) -> tuple[str, int, int]:
    """Return grant, family and generation, as the token names them."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims["gid"], claims["fam"], claims["gen"]
