"""The connections of a gateway to content servers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway import content
from gateway.content import ContentUnavailable, open_content_servers
from shared.settings import ContentSettings
from tests.contract.conftest import PATIENCE


class SlowServer(TestServer):
    """A content server that answers once it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        app = web.Application()
        app.router.add_post("/smapi", self._answer)
        super().__init__(app)

    async def _answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        await self.may_answer.wait()
        return web.Response(text="<answer/>", content_type="text/xml")


@pytest.fixture
async def server() -> AsyncIterator[SlowServer]:
    async with SlowServer() as server:
        yield server


async def test_who_finds_no_connection_free_is_told_to_come_again(
    server: SlowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many calls wait for a content server as may; one more does not reach it, and the others are answered."""
    monkeypatch.setattr(content, "CONNECTIONS", 2)
    patient = ContentSettings(url=str(server.make_url("/smapi")))
    hasty = patient.model_copy(update={"connect_timeout": 0.01})
    async with open_content_servers() as servers, asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(servers.ask(patient, b"<call/>", {})) for _ in range(2)]
        async with asyncio.timeout(PATIENCE):
            while server.asked < 2:
                await asyncio.sleep(0.001)
        with pytest.raises(ContentUnavailable):
            await servers.ask(hasty, b"<call/>", {})
        asked = server.asked
        server.may_answer.set()
        answers = [(await each).body for each in waiting]

    assert (2, [b"<answer/>"] * 2) == (asked, answers)
