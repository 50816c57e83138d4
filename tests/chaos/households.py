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
from tests.play.person import Page, Person
from tests.play.sonos import Answer, Link, Pair, Sonos, pair_of

AGAIN_SECONDS = 0.2
"""Between two tries; Sonos waits longer, people do not."""
CALL_SECONDS = 20.0
"""Sonos's own patience."""
PERSON_SECONDS = 60.0
"""A person's, who looks at a page that says "One moment" and would only make it longer by beginning again."""
OWN = "Continue with Own"
MAY_PASS = {"Server.ServiceUnavailable", "Client.NOT_LINKED_RETRY"}
"""Faults that ask to come again, and end nothing."""

T = TypeVar("T")


class LinkFailed(Exception):
    """The link's time is over, in an experiment where that may be."""


def new_http() -> aiohttp.ClientSession:
    """Return what Sonos speaks HTTP with: a new connection for each call, so that calls go to whichever gateway is there."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=CALL_SECONDS),
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


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
        async with new_http() as http:
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
                self._ledger.begun_again += 1

    async def _try_to_link(self, http: aiohttp.ClientSession) -> Pair:
        link = await self._until_done("getAppLink", lambda: self._sonos(http).get_app_link_answer(), _link_of)
        self._ledger.note(link.code, link.device_id)
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

    def _answered(self, operation: str, outcome: str, detail: str = "") -> None:
        self._ledger.answered(operation, outcome, household=self.name, detail=detail)

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
                self._answered(operation, "no answer")
            except (etree.XMLSyntaxError, AssertionError) as error:
                self._ledger.surprise(f"{operation}: no SOAP: {error!r:.200}")
            else:
                self._answered(operation, answer.fault or "ok")
                if answer.fault is None:
                    return read(answer)
                if answer.fault == "Client.NOT_LINKED_FAILURE" and self._begins_again:
                    raise LinkFailed
                if answer.fault not in MAY_PASS:
                    self._ledger.surprise(f"{operation} of {self.name}: {answer.fault}")
            await asyncio.sleep(AGAIN_SECONDS)

    def _pair(self, answer: Answer) -> Pair:
        pair = pair_of(answer)
        self._ledger.note(pair.token, pair.key)
        self._ledger.pairs[numbers_of(pair.token)].add(f"{pair.token} {pair.key}")
        return pair

    async def _person(self, link: Link) -> None:
        """Do what the page asks, whatever it shows, until it says that all is done."""
        name, password = self._account
        async with Person() as person:
            while True:
                try:
                    async with asyncio.timeout(PERSON_SECONDS):
                        # The public address is one gateway's; people come through whichever is there.
                        path = link.reg_url.split("/", 3)[3]
                        page = await sign_in_page(person, f"{next(self._gateways)}/{path}")
                        self._ledger.note(*secrets_of(person, page))
                        self._answered("page", "ok" if page.status < 500 else "try again", page.title)
                        if "Sign in" in page.buttons:
                            page = await person.press(page, "Sign in", name=name, password=password)
                        if "Allow" in page.buttons:
                            page = await person.press(page, "Allow")
                        if page.way_back:
                            return
                except (aiohttp.ClientError, TimeoutError, OSError, etree.ParserError):
                    self._answered("page", "no answer")
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


async def sign_in_page(person: Person, url: str) -> Page:
    """Open the page of a link, and choose our own accounts where others may be chosen, too."""
    page = await person.open(url)
    return await person.follow(page, OWN) if OWN in page.links else page


def secrets_of(person: Person, page: Page) -> list[str]:
    """Return what a browser holds that nobody else may have."""
    cookies = [cookie.value for cookie in person.http.cookie_jar if cookie.value]
    return [*cookies, *map(str, page.tree.xpath('//input[@name="form_token"]/@value'))]


def _link_of(answer: Answer) -> Link:
    return Link(reg_url=answer["regUrl"], code=answer["linkCode"], device_id=answer["linkDeviceId"])


def numbers_of(token: str) -> tuple[str, int, int]:
    """Return grant, family and generation, as the token names them."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims["gid"], claims["fam"], claims["gen"]
