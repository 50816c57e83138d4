"""The playground behind its page: whose it is, what it takes, and where it is not."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import started
from tests.play.operator import System, deployment
from tests.play.person import Person


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A tab with a play in it."""

    http: aiohttp.ClientSession
    gateway: str
    play: str
    token: str

    async def press(self, act: str, **headers: str) -> int:
        """Press a button; return the HTTP status."""
        headers = headers or {"X-Playground-Token": self.token}
        async with self.http.post(f"{self.gateway}/play/{self.play}/{act}", headers=headers) as response:
            return response.status

    async def until(self, text: str, *, after: int = 0) -> str:
        """Read the stream until it has said *text*; return all that it said."""
        said = ""
        url = f"{self.gateway}/play/{self.play}/events?after={after}"
        async with self.http.get(url) as response, asyncio.timeout(30):
            assert response.status == 200
            async for line in response.content:
                said += line.decode()
                if text in said and line == b"\n":
                    break
        return said


@pytest.fixture
async def playground(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """An embedded installation with the playground."""
    async with started(tmp_path, sqlite_url, LATCHKEY_DEMO="true") as system:
        yield system


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
async def on_each_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """The same, on either database."""
    url = str(request.getfixturevalue(f"{request.param}_url"))
    async with started(tmp_path, url, LATCHKEY_DEMO="true") as system:
        yield system


async def opened(person: Person, system: System) -> Tab:
    """Open the playground in a new tab."""
    async with person.http.get(system.gateways[0]) as response:
        text = await response.text()
        assert response.status == 200, text
    (play,) = re.findall(r'data-play="([^"]*)"', text)
    (token,) = re.findall(r'data-token="([^"]*)"', text)
    return Tab(http=person.http, gateway=system.gateways[0], play=play, token=token)


async def test_nothing_is_there_unless_asked_for(embedded: System, person: Person) -> None:
    """Without `demo` there is neither a page nor a button."""
    for path in ("/", "/static/playground.js", "/play/x/events"):
        async with person.http.get(embedded.gateways[0] + path) as response:
            assert 404 == response.status
    async with person.http.post(f"{embedded.gateways[0]}/play/x/break") as response:
        assert 404 == response.status


async def test_gateway_of_its_own_has_none(sqlite_url: str, tmp_path: Path, person: Person) -> None:
    """Asked for outside of embedded mode, it is not there, and the log says why."""
    extra = {"LATCHKEY_DEMO": "true"}
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://", extra=extra) as system:
        system.start_gateway("gateway")
        await system.ready()
        async with person.http.get(system.gateways[0]) as response:
            status = response.status

        assert (404, True) == (status, "no playground here" in system.logs())


async def test_buttons_are_of_the_page_that_has_them(playground: System, person: Person) -> None:
    """Another site has no token, another browser no cookie, and nobody a button that makes no sense."""
    tab = await opened(person, playground)
    async with Person() as stranger:
        theirs = await opened(stranger, playground)
        foreign = Tab(http=stranger.http, gateway=tab.gateway, play=tab.play, token=tab.token)
        async with stranger.http.get(f"{tab.gateway}/play/{tab.play}/events") as response:
            overheard = response.status

        assert [403, 403] == [
            await tab.press("add", Origin="https://evil.example"),
            await tab.press("add", **{"X-Playground-Token": theirs.token}),
        ]
        assert (404, 404) == (await foreign.press("add"), overheard)
    assert [409, 404, 204] == [await tab.press(act) for act in ("browse", "nonsense", "add")]


async def test_each_tab_has_its_own_play(playground: System, person: Person) -> None:
    """What one does the other does not see; the broker is everybody's."""
    one, other = await opened(person, playground), await opened(person, playground)
    await one.press("add")
    await one.press("break")
    said = await other.until('"broken":true')
    await other.press("mend")
    await one.until('"broken":false')

    assert one.play != other.play
    assert "getAppLink" not in re.sub(r"data-act.*", "", said)


async def test_stream_goes_on_where_it_was_lost(playground: System, person: Person) -> None:
    """A reader that comes again says the last number it has seen, and gets what came after it."""
    tab = await opened(person, playground)
    await tab.press("add")
    first = await tab.until("audit_events link.requested")
    numbers = [int(number) for number in re.findall(r"^id: (\d+)$", first, re.MULTILINE)]
    await tab.press("poll")
    rest = await tab.until("NOT_LINKED_RETRY", after=max(numbers))
    later = [int(number) for number in re.findall(r"^id: (\d+)$", rest, re.MULTILINE)]

    assert numbers == sorted(numbers)
    assert min(later) > max(numbers)
    assert "retry: 1000" in first


async def test_whole_play_shows_no_secret(on_each_database: System, person: Person) -> None:
    """Link code, linkDeviceId, tokens and keys are in no piece of the page, nor in the state."""
    tab = await opened(person, on_each_database)
    await tab.press("add")
    async with person.http.get(f"{tab.gateway}/play/{tab.play}/sign-in", allow_redirects=False) as response:
        address = response.headers["Location"]
    await person.complete(tab.gateway + address)
    for act in ("poll", "browse", "expire", "browse", "refresh", "revoke", "browse", "reauthorize"):
        assert 204 == await tab.press(act), act
    said = await tab.until('"next":"sign-in"')
    pieces = [json.loads(line[6:]) for line in said.splitlines() if line.startswith("data: ")]
    words = {word for piece in pieces for word in re.findall(r"[A-Za-z0-9_-]{20,}", str(piece))}
    code = address.rpartition("/")[2]
    opens = {word for word in words if re.search(r"[0-9]", word) and not word.startswith("Sonos_play")}

    assert set() == opens
    assert "canary-password" not in said
    assert (True, True) == ("eyJhbG…" in said, f"{code[:6]}…" in said)


async def test_twenty_fifth_tab_takes_the_place_of_an_idle_one(playground: System, person: Person) -> None:
    """As long as one is not looked at; its own page then says that it is over."""
    first = await opened(person, playground)
    for _ in range(24):
        await opened(person, playground)

    assert 404 == await first.press("add")
