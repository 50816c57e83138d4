"""A port that takes connections and says nothing: everybody gives it up, and none waits for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.bus import inspection, line
from shared.bus.base import BusUnavailable

PATIENCE = 30.0


@asynccontextmanager
async def silent() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Take connections; give the URL, and who has come."""
    callers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"amqp://guest:guest@127.0.0.1:{port}", callers
    finally:
        server.close()
        for caller in callers:
            caller.close()


async def test_line_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens it does not stay with a connection on which nothing comes."""
    monkeypatch.setattr(line, "_CONNECT_SECONDS", 0.05)

    async def prepare(_: line.Line) -> None:
        raise AssertionError

    async with silent() as (url, callers), asyncio.timeout(PATIENCE):
        holding = asyncio.create_task(line.Line(url, name="test", prepare=prepare).hold())
        while len(callers) < 2:
            await asyncio.sleep(0.01)
        holding.cancel()


async def test_doctor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In time."""
    monkeypatch.setattr(inspection, "CONNECT_SECONDS", 0.05)
    async with silent() as (url, _), asyncio.timeout(PATIENCE):
        with pytest.raises(BusUnavailable, match="TimeoutError"):
            await inspection.inspect(url, prefix="latchkey")
