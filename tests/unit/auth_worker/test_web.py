"""The way out to identity providers: bounded in bytes, connections and time."""

import asyncio
import socket

import pytest
from aiohttp import web as server

from auth_worker.providers import web
from auth_worker.providers.web import NothingDone, ProviderUnavailable, Web
from tests.play.server import AccountServer

PATIENCE = 30.0


async def test_answer_has_a_limit() -> None:
    """The longest is read to its end, and nothing of one that is longer is used."""
    bodies = [b" " * web.LARGEST_ANSWER, b" " * (web.LARGEST_ANSWER + 1)]

    async def long(_: server.Request) -> server.StreamResponse:
        return server.Response(body=bodies.pop(0))

    async with AccountServer().up() as source, Web.open() as out:
        source.instead = long
        answer = await out.send("GET", source.url)
        with pytest.raises(ProviderUnavailable, match=f"answered more than {web.LARGEST_ANSWER} bytes"):
            await out.send("GET", source.url)

    assert web.LARGEST_ANSWER == len(answer.body)


async def test_connections_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds none free in time has asked nobody, and can come again."""
    monkeypatch.setattr(web, "CONNECTIONS", 2)
    go_on = asyncio.Event()

    async def held(_: server.Request) -> server.StreamResponse:
        await go_on.wait()
        return server.Response()

    async with AccountServer().up() as source, Web.open(connect=1.0, answer=PATIENCE) as out:
        source.instead = held
        asked = [asyncio.create_task(out.send("GET", source.url)) for _ in range(2)]
        async with asyncio.timeout(PATIENCE):
            while len(source.asked) < 2:
                await asyncio.sleep(0.01)
        with pytest.raises(NothingDone):
            await out.send("GET", source.url)
        go_on.set()
        answers = [*await asyncio.gather(*asked), await out.send("GET", source.url)]

    assert [200] * 3 == [answer.status for answer in answers]
    assert 3 == len(source.asked)


async def test_provider_that_takes_no_connection() -> None:
    """It is given up long before an answer would be, and certain to have done nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address):
            async with Web.open(connect=0.2, answer=3600) as out, asyncio.timeout(PATIENCE):
                with pytest.raises(NothingDone, match="did not answer"):
                    await out.send("GET", f"http://127.0.0.1:{address[1]}")
