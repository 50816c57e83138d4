"""What the checks of one run share: the service they look at, and what has been obtained from it so far.

Nothing is asked for before a check needs it, so that any selection of checks runs by itself.
"""

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from deploy.check.client import (
    CALLBACK,
    Answer,
    Client,
    Clock,
    Message,
    Pair,
    envelope,
    headers_for,
    login_token,
)
from deploy.check.reading import Skipped, link_in, pair_in
from deploy.check.report import Mode
from deploy.check.signin import Link, NotSignedIn, SignIn

POLL_SECONDS = 5.0
"""Between two polls, in the self test and in the field."""
WINDOW_SECONDS = 480.0
"""How long the self test goes on polling; the documentation says seven minutes."""


NOBODY = "nobody signs in: --browser, --user with --password, or --approve-with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the run was told."""

    name: str = ""
    password: str = field(default="", repr=False)
    wait: float = 0.0
    """Seconds that a check may wait for something to expire."""
    slow: float = 5.0
    """Seconds from which an answer is called slow."""
    stale: Pair | None = None
    """A pair that is past its time, if there is one."""
    revoke: str = ""
    """The command that revokes the token on its standard input."""
    load: int = 0
    """Households to play, 0: none."""
    load_seconds: float = 30.0
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A link that somebody has completed."""

    link: Link
    answer: Answer
    """The poll that said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """An explicit refresh."""

    before: Pair
    answer: Answer


class Probe:
    """One service, seen from one household."""

    def __init__(
        self,
        *,
        client: Client,
        mode: Mode,
        options: Options,
        clock: Clock,
        random: Callable[[int], bytes],
        browser: Callable[[], aiohttp.ClientSession],
        sign_in: SignIn | None,
        nobody: str = NOBODY,
    ) -> None:
        self.client, self.mode, self.options, self.clock = client, mode, options, clock
        self.browser, self.sign_in, self._nobody = browser, sign_in, nobody
        self.figures: dict[str, float] = {}
        self._random = random
        self.household = f"Sonos_{self.letters(26)}_{random(4).hex()}"
        self._link: Link | None = None
        self._linked: Linked | NotSignedIn | None = None
        self._pair: Pair | None = None
        self._refreshed: Refreshed | None = None
        self._sampled = False
        self.relinked: Linked | None = None
        self.is_revoked = False
        self.stale: Pair | None = None

    @property
    def is_local(self) -> bool:
        """Tell whether the service runs on this machine, where nobody expects a certificate."""
        return urlsplit(self.client.endpoint).hostname in {"localhost", "127.0.0.1", "::1"}

    def letters(self, count: int) -> str:
        """Return random letters and digits, first a letter."""
        return "a" + base64.b32encode(self._random(count)).decode().lower().rstrip("=")[: count - 1]

    # --- links

    async def ask_for_link(self, login: str = "", **changes: str) -> Answer:
        """Begin to add the service, as the S2 app on an iPhone does or, with DeviceLink, as any player."""
        household = {"householdId": self.household}
        if self.mode is Mode.DEVICE_LINK:
            return await self.client.call("getDeviceLinkCode", household | _known(changes, household), login)
        arguments = {
            **household,
            "hardware": "iPhone17,5",
            "osVersion": "Version 26.2 (Build 23C55)",
            "sonosAppName": "ICRU_iPhone17,5",
            "callbackPath": CALLBACK,
        }
        return await self.client.call("getAppLink", arguments | changes, login)

    async def new_link(self) -> Link:
        """Return a link of its own.

        Raises:
            Skipped: the service gives none.
        """
        return link_in(await self.ask_for_link())

    async def link(self) -> Link:
        """Return a link that nobody completes."""
        if self._link is None:
            self._link = await self.new_link()
        return self._link

    async def poll(self, link: Link, login: str = "", **changes: str | None) -> Answer:
        """Ask whether a link is done; a change to None leaves that argument out."""
        arguments: dict[str, str | None] = {
            "householdId": self.household,
            "linkCode": link.code,
            "linkDeviceId": link.device_id,
        }
        sent = {name: value for name, value in (arguments | changes).items() if value is not None}
        return await self.client.call("getDeviceAuthToken", sent, login)

    async def linked(self) -> Linked:
        """Return a completed link; the person is asked once.

        Raises:
            Skipped: nobody signs in, or it did not work out; the check `link.completes` tells.
        """
        if self.sign_in is None:
            raise Skipped(self._nobody)
        if self._linked is None:
            try:
                self._linked = await self.complete(self.sign_in)
            except NotSignedIn as error:
                self._linked = error
        if isinstance(self._linked, NotSignedIn):
            raise Skipped(f"the link was not completed: {self._linked}")
        return self._linked

    async def complete(self, sign_in: SignIn, link: Link | None = None) -> Linked:
        """Have a link completed, and poll until it is.

        Raises:
            NotSignedIn: it was not.
            Skipped: the service gives no link.
        """
        link = link or await self.new_link()
        await sign_in.complete(link)
        give_up = self.clock.monotonic() + min(sign_in.patience, WINDOW_SECONDS)
        while True:
            answer = await self.poll(link)
            if answer.is_result:
                return Linked(link=link, answer=answer)
            if answer.fault is None or answer.fault.code != "Client.NOT_LINKED_RETRY":
                raise NotSignedIn(f"after the sign-in the poll was answered {answer.shown}")
            if self.clock.monotonic() >= give_up:
                raise NotSignedIn("the sign-in went well, but the polls say that it is not finished")
            await self.clock.sleep(POLL_SECONDS)

    # --- tokens

    async def pair(self) -> Pair:
        """Return the pair that the household has at the moment.

        Raises:
            Skipped: it has none.
        """
        if self._pair is None:
            pair = pair_in((await self.linked()).answer)
            if pair is None:
                raise Skipped("the link has given no token")
            self._pair = pair
        return self._pair

    async def adopt(self, pair: Pair | None) -> None:
        """Go on with another pair, if it is any good: what comes after shall not suffer from what was found before."""
        if pair is not None and (await self.use(pair)).is_result:
            self._pair = pair

    async def use(
        self,
        pair: Pair,
        *,
        household: str | None = "",
        bearer: bool = False,
        with_key: bool = True,
        device_id: str = "",
    ) -> Answer:
        """Make the cheapest call that needs a token; a household of None is left out, with *bearer* the token is in HTTP alone."""
        household = self.household if household == "" else household
        login = login_token(pair, household, with_key=with_key)
        headers = headers_for("getLastUpdate")
        if bearer:
            headers["Authorization"] = f"Bearer {pair.token}"
            login = f"<loginToken><householdId>{household}</householdId></loginToken>" if household else ""
        body = envelope("getLastUpdate", {}, login, **({"device_id": device_id} if device_id else {}))
        return await self.client.send(Message(method="getLastUpdate", body=body, headers=headers))

    async def refresh(self, pair: Pair) -> Answer:
        """Ask for the successor of a pair."""
        return await self.client.call("refreshAuthToken", {}, login_token(pair, self.household))

    async def refreshed(self) -> Refreshed:
        """Return an explicit refresh, made once; the household goes on with what it gave."""
        if self._refreshed is None:
            before = await self.pair()
            answer = await self.refresh(before)
            self._refreshed = Refreshed(before=before, answer=answer)
            if answer.is_result:
                await self.adopt(pair_in(answer))
        return self._refreshed

    async def successor(self) -> Pair:
        """Return what an explicit refresh gave.

        Raises:
            Skipped: it gave none.
        """
        pair = pair_in((await self.refreshed()).answer)
        if pair is None:
            raise Skipped("refreshAuthToken gives no pair")
        return pair

    # --- what everybody looks at

    async def sample(self) -> list[Answer]:
        """Return all answers so far, and make sure that there are some of every kind."""
        if not self._sampled:
            self._sampled = True
            garbage = login_token(Pair(token=self.letters(32), key=self.letters(16)), self.household)
            await self.client.call("getMetadata", {"id": "root", "index": "0", "count": "1"}, garbage)
            await self.client.call("getNothingOfTheKind", {})
            if self.mode in {Mode.APP_LINK, Mode.DEVICE_LINK}:
                # Where there is no link, the answer that says so is in the history already.
                with suppress(Skipped):
                    await self.poll(await self.link())
        return self.client.history


def _known(changes: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in changes.items() if name in known}
