"""Connections that never finish a head, and too many of them; what is honest notices nothing.

That nothing happens to a connection is seen when the guard has closed one that began to be slow after it: a witness.
"""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from gateway import connections as guard
from gateway.__main__ import LINGER_SECONDS
from gateway.bodies import BODY_SECONDS
from gateway.connections import Connections, room_for
from gateway.guard import Guard, Shorten

PATIENCE = 30.0
HEAD = b"GET /plain HTTP/1.1\r\nHost: a\r\n"
GET = HEAD + b"\r\n"


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> bytes:
        """Return the next line, or nothing if the connection is closed."""
        try:
            return await self.reader.readline()
        except ConnectionError:
            return b""

    async def answer(self) -> bytes:
        """Return the body of the next answer, which is of a length that is told."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            (length,) = (line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            return await self.reader.readexactly(int(length.split(b":")[1]))

    async def until_closed(self) -> bytes:
        """Return all that comes until the other side ends."""
        said = b""
        async with asyncio.timeout(PATIENCE):
            while line := await self.line():
                said += line
        return said


@dataclass
class Door:
    """A small server behind the guard, and what its handlers wait for."""

    runner: web.AppRunner
    server: asyncio.Server
    connections: Connections
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        """Open a connection."""
        port = self.server.sockets[0].getsockname()[1]
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", port)))
        return self.clients[-1]

    @property
    def guards(self) -> list[Guard]:
        """Return what stands before the connections that are open."""
        return list(self.connections._open.values())

    async def until_a_slow_one_is_closed(self) -> None:
        """Wait as long as a connection lives whose head has just begun and never ends."""
        witness = await self.connect()
        await witness.send(HEAD)
        assert b"" == await witness.until_closed()


@asynccontextmanager
async def opened(
    most: int = 100, *, shorten: Shorten | None = None, idle_seconds: float = PATIENCE
) -> AsyncIterator[Door]:
    """Open a door whose guard has little patience."""
    let_go, begun = asyncio.Event(), asyncio.Event()

    async def plain(_: web.Request) -> web.Response:
        return web.Response(text="plain")

    async def held(_: web.Request) -> web.Response:
        begun.set()
        await let_go.wait()
        return web.Response(text="held")

    async def read(request: web.Request) -> web.Response:
        begun.set()
        return web.Response(body=await request.read())

    async def streamed(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 4
        await response.prepare(request)
        await response.write(b"ab")
        begun.set()
        await let_go.wait()
        await response.write(b"cd")
        return response

    app = web.Application()
    app.add_routes(
        [
            web.get("/plain", plain),
            web.post("/plain", plain),
            web.get("/held", held),
            web.post("/read", read),
            web.get("/streamed", streamed),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=PATIENCE)
    await runner.setup()
    assert runner.server is not None
    connections = Connections(
        most, shorten=shorten, head_seconds=0.05, idle_seconds=idle_seconds, sweep_seconds=0.01
    )
    runner.server.request_handler = connections.answering(runner.server.request_handler)
    sweeping = asyncio.create_task(connections.sweep())
    server = await asyncio.get_running_loop().create_server(
        connections.guarded(runner.server), "127.0.0.1", 0
    )
    door = Door(runner, server, connections, let_go, begun)
    try:
        yield door
    finally:
        let_go.set()
        for client in door.clients:
            client.writer.close()
        server.close()
        await runner.cleanup()
        sweeping.cancel()


@pytest.mark.parametrize("begin", [b"G", HEAD, HEAD + b"X-Slow: "])
async def test_head_that_never_ends_is_closed(begin: bytes) -> None:
    """Wherever in its head it got stuck; nothing is answered."""
    async with opened() as door:
        client = await door.connect()
        await client.send(begin)

        assert b"" == await client.until_closed()


async def test_second_head_of_a_connection_may_take_no_longer() -> None:
    """An honest request first buys no time."""
    async with opened() as door:
        client = await door.connect()
        await client.send(GET)
        first = await client.answer()
        await client.send(HEAD)

        assert (b"plain", b"") == (first, await client.until_closed())


async def test_idle_connection_is_kept() -> None:
    """Between two requests, and before the first, a connection may be silent."""
    async with opened() as door:
        silent, used = await door.connect(), await door.connect()
        await used.send(GET)
        said = [await used.answer()]
        await door.until_a_slow_one_is_closed()
        for client in (silent, used):
            await client.send(GET)
            said.append(await client.answer())

        assert [b"plain"] * 3 == said


async def test_slow_body_is_not_the_guards_business() -> None:
    """Handlers bound how long they wait for a body."""
    async with opened() as door:
        client = await door.connect()
        await client.send(b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        await door.begun.wait()
        await door.until_a_slow_one_is_closed()
        await client.send(b"cd")

        assert b"abcd" == await client.answer()


async def test_body_that_nobody_read_is_no_head() -> None:
    """An answer may come before the body, which then belongs to no next request."""
    async with opened() as door:
        client = await door.connect()
        await client.send(b"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        first = await client.answer()
        await client.send(b"cd")
        await door.until_a_slow_one_is_closed()
        await client.send(GET)

        assert [b"plain", b"plain"] == [first, await client.answer()]


async def test_pipelined_requests_wait_their_turn() -> None:
    """Heads that came while another request was answered are complete; their time is not counted."""
    async with opened() as door:
        client = await door.connect()
        await client.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        await door.begun.wait()
        await client.send(GET + GET)
        await door.until_a_slow_one_is_closed()
        door.let_go.set()

        assert [b"held", b"plain", b"plain"] == [await client.answer() for _ in range(3)]


async def test_head_begun_while_another_request_is_answered_is_closed_after_it() -> None:
    """Its time begins when the answer is out."""
    async with opened() as door:
        client = await door.connect()
        await client.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        await door.begun.wait()
        await client.send(HEAD)
        await door.until_a_slow_one_is_closed()
        door.let_go.set()

        assert (b"held", b"") == (await client.answer(), await client.until_closed())


async def test_long_answer_is_left_alone() -> None:
    """A stream may last as long as it lasts."""
    async with opened() as door:
        client = await door.connect()
        await client.send(b"GET /streamed HTTP/1.1\r\nHost: a\r\n\r\n")
        await door.begun.wait()
        await door.until_a_slow_one_is_closed()
        door.let_go.set()

        assert b"abcd" == await client.answer()


async def test_too_many_are_refused() -> None:
    """Those that are there notice nothing; as soon as one has gone, another may come."""
    async with opened(most=2) as door:
        there = [await door.connect() for _ in range(2)]
        for client in there:
            await client.send(GET)
        said = [await client.answer() for client in there]
        refused = await (await door.connect()).until_closed()
        await there[0].send(GET)
        said.append(await there[0].answer())
        there[0].writer.close()
        async with asyncio.timeout(PATIENCE):
            while True:
                later = await door.connect()
                await later.send(GET)
                if await later.line():
                    break

        assert ([b"plain"] * 3, b"") == (said, refused)


async def test_shutdown_waits_for_what_is_being_answered() -> None:
    """A request that runs gets its answer, and no new connection is taken."""
    async with opened() as door:
        client = await door.connect()
        await client.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        await door.begun.wait()
        port = door.server.sockets[0].getsockname()[1]
        door.server.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        ending = asyncio.create_task(door.runner.cleanup())
        door.let_go.set()
        answer = await client.answer()
        await ending

        assert (b"held", b"") == (answer, await client.until_closed())


@pytest.mark.parametrize(
    ("limits", "expected", "raised_to"),
    [
        ((1024, 1_048_576), 4096, (4096 + guard.OTHER_FILES, 1_048_576)),
        ((1024, resource.RLIM_INFINITY), 4096, (4096 + guard.OTHER_FILES, resource.RLIM_INFINITY)),
        ((1024, 1024), 1024 - guard.OTHER_FILES, (1024, 1024)),
        ((100_000, 100_000), 4096, None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 4096, None),
    ],
)
def test_room_is_made_or_told(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    expected: int,
    raised_to: tuple[int, int] | None,
) -> None:
    """The limit of open files is raised as far as the system lets us; the rest is what we are content with."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))

    assert expected == room_for(4096)
    assert [raised_to] * (raised_to is not None) == asked


def test_slow_ones_are_gone_in_fifteen_seconds() -> None:
    """Whether their head is slow, which is seen at the next look, or their body, whose answer lingers a little."""
    assert guard.HEAD_SECONDS + guard.SWEEP_SECONDS <= 15
    assert BODY_SECONDS + LINGER_SECONDS <= 15
