"""A port that takes connections and says nothing: everybody gives it up, and none waits for ever."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.bus import inspection, line
from shared.bus.base import BusUnavailable
from tests.services.authority import Authority

PATIENCE = 30.0


@asynccontextmanager
async def silent(
    certificate: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """Take connections, and not a word on them, not even that of TLS that ends one; give host and port, and who has come."""
    callers: list[asyncio.StreamWriter] = []

    def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        callers.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=certificate)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"guest:guest@127.0.0.1:{port}", callers
    finally:
        server.close()
        for caller in callers:
            caller.transport.abort()


async def never(_: line.Line) -> None:
    """Refuse to believe that a line is up."""
    raise AssertionError


async def test_line_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens it does not stay with a connection on which nothing comes."""
    monkeypatch.setattr(line, "_CONNECT_SECONDS", 0.05)
    async with silent() as (address, callers), asyncio.timeout(PATIENCE):
        holding = asyncio.create_task(line.Line(f"amqp://{address}", name="test", prepare=never).hold())
        while len(callers) < 2:
            await asyncio.sleep(0.01)
        holding.cancel()


async def test_encrypted_line_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute that TLS would wait for the other side's good-bye is not added to the time."""
    monkeypatch.setattr(line, "_CONNECT_SECONDS", 0.5)
    authority = Authority(tmp_path)
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.load_cert_chain(*authority.issue())
    async with silent(certificate) as (address, callers), asyncio.timeout(PATIENCE / 2):
        url = f"amqps://{address}?cafile={authority.root}"
        holding = asyncio.create_task(line.Line(url, name="test", prepare=never).hold())
        while len(callers) < 2:
            await asyncio.sleep(0.01)
        holding.cancel()
        await asyncio.wait([holding])


async def test_doctor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In time."""
    monkeypatch.setattr(inspection, "CONNECT_SECONDS", 0.05)
    async with silent() as (address, _), asyncio.timeout(PATIENCE):
        with pytest.raises(BusUnavailable, match="TimeoutError"):
            await inspection.inspect(f"amqp://{address}", prefix="latchkey")
