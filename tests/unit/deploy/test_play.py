"""What a play remembers of its household: ids and secrets, and how much of an answer it reads."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from deploy.playground import pages, play, sonos
from deploy.playground.play import Play
from deploy.playground.sonos import Sonos
from shared.storage.household import HouseholdRows
from tests.play.server import AccountServer


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def played(http: aiohttp.ClientSession) -> Play:
    """A play that looks at no rows."""
    household = Sonos(http, "http://127.0.0.1/smapi", "Sonos_play")
    return Play(
        play_id="play", browser_id="browser", sonos=household, household_rows=cast("HouseholdRows", None)
    )


async def test_ids_that_came_first_are_forgotten(played: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that have come again; the household itself never is."""
    monkeypatch.setattr(play, "MOST_IDS", 2)
    for name in ("first", "second", "first", "third"):
        played.learn(name)

    assert [True, False, True, True] == [
        played.knows_id(name) for name in ("first", "second", "third", "Sonos_play")
    ]


async def test_secrets_that_came_first_are_forgotten(played: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that have come again, as the key of a household does: they are masked as before."""
    monkeypatch.setattr(play, "MOST_SECRETS", 2)
    names = ("secret-1", "secret-2", "secret-3")
    for secret in ("secret-1", "secret-2", "secret-1", "secret-3"):
        played.hide(secret)
    played.show_request(played.story.begin("Somebody asks"), "getMetadata", " ".join(names))
    shown = played.story.after(0)[-1].text

    assert [False, True, False] == [name in shown for name in names]


async def test_answer_is_cut(http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is as long as it may be is read to its end."""
    monkeypatch.setattr(sonos, "LARGEST_ANSWER", 100)
    lengths = iter((100, 101, 10_000_000))

    async def long(_: web.Request) -> web.StreamResponse:
        return web.Response(text="x" * next(lengths))

    async with AccountServer().up() as gateway:
        gateway.instead = long
        system = Sonos(http, f"{gateway.url}/smapi", "Sonos_play")
        answers = [(await system.call("getMetadata")).answer for _ in range(3)]

    assert ["x" * 100] * 3 == answers


@pytest.mark.parametrize(
    ("seconds", "is_new", "said"), [(0.01, False, b": still here\n\n"), (3600, True, b"")]
)
async def test_stream_says_that_it_is_alive(
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    is_new: bool,
    said: bytes,
) -> None:
    """Where nothing is new for a while."""
    monkeypatch.setattr(pages, "HEARTBEAT_SECONDS", seconds)
    news = asyncio.Event()
    if is_new:
        news.set()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await pages._wait(news, response)
        return response

    async with AccountServer().up() as gateway, asyncio.timeout(30):
        gateway.instead = stream
        async with http.get(gateway.url) as response:
            assert said == await response.read()
