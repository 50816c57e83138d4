"""Two ways of answering share a connection: whatever comes, each request is answered once, in order, by one of them."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import pytest
import structlog

from gateway.guard import Guard
from gateway.heads import Head
from tests.unit.gateway.test_connections import GET, HEAD, PATIENCE, Client, Door, opened

SHORT = b"GET /short HTTP/1.1\r\nHost: a\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n"
LONG_SHORT = b"POST /short HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(SHORT) + SHORT
MORE_THAN_THE_SYSTEM_KEEPS = 1 << 25
"""Bytes of an answer that nobody reads."""
READ = b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(SHORT) + SHORT


@dataclass
class Way:
    """A short way for all that asks for `/short`, which answers when it may."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False
    length: int = 5
    taken: list[bytes] = field(default_factory=list)

    def shorten(self, head: Head, data: bytes, peer: str | None) -> Coroutine[None, None, bytes] | None:
        """Take a request."""
        if b" /short " not in head.line:
            return None
        self.taken.append(data)
        return self._answer()

    async def _answer(self) -> bytes:
        await self.may_answer.wait()
        if self.fails:
            raise ArithmeticError
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.length + b"short".ljust(self.length)


@pytest.fixture
def way() -> Way:
    """One that answers at once."""
    way = Way()
    way.may_answer.set()
    return way


async def test_ways_take_turns(way: Way) -> None:
    """On one connection, as its requests come."""
    async with opened(shorten=way.shorten) as door:
        client = await door.connect()
        said = []
        for request in (GET, SHORT, LONG_SHORT, GET, READ, SHORT, GET):
            await client.send(request)
            said.append(await client.answer())

        assert [b"plain", b"short", b"short", b"plain", SHORT, b"short", b"plain"] == said
        assert [SHORT, LONG_SHORT, SHORT] == way.taken


@pytest.mark.parametrize("cut", [1, len(READ) - len(SHORT) - 2, len(READ) - len(SHORT), len(READ) - 5])
async def test_what_looks_like_a_request_inside_another_is_none(way: Way, cut: int) -> None:
    """A body, or the rest of a head, may say anything: a packet that begins with a request is not the beginning of one."""
    async with opened(shorten=way.shorten) as door:
        client = await door.connect()
        await client.send(READ[:cut])
        await client.send(READ[cut:])
        said = await client.answer()

        assert (SHORT, []) == (said, way.taken)


async def test_body_that_comes_later_leaves_the_short_way_open(way: Way) -> None:
    """Where a request ends is known from its head."""
    async with opened(shorten=way.shorten) as door:
        client = await door.connect()
        await client.send(READ[:-4])
        await door.begun.wait()
        await client.send(READ[-4:])
        said = [await client.answer()]
        await client.send(SHORT)
        said.append(await client.answer())

        assert ([SHORT, b"short"], [SHORT]) == (said, way.taken)


async def test_where_ends_are_not_certain_all_goes_to_aiohttp(way: Way) -> None:
    """A body in chunks, or the beginning of another request behind it, cannot be told from a request by its looks."""
    async with opened(shorten=way.shorten) as door:
        chunked = b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        said = []
        for before in (chunked, GET + b"GET /plain HTTP/1.1\r\nX: "):
            client = await door.connect()
            await client.send(before)
            await client.answer()
            await client.send(SHORT)
            said.append((await client.line()).split()[1])

        assert ([b"404", b"200"], []) == (said, way.taken)


async def test_requests_wait_for_the_answer_before_them() -> None:
    """Whichever way they go themselves."""
    way = Way()
    async with opened(shorten=way.shorten) as door:
        client = await door.connect()
        await client.send(SHORT)
        await _until(lambda: bool(way.taken))
        await client.send(GET)
        await client.send(SHORT)
        way.may_answer.set()
        said = [await client.answer() for _ in range(3)]

        assert [b"short", b"plain"] == said[:2]


async def test_short_request_waits_for_aiohttp(way: Way) -> None:
    """It is answered there, since a place in line is not given up."""
    async with opened(shorten=way.shorten) as door:
        client = await door.connect()
        await client.send(HELD)
        await door.begun.wait()
        await client.send(SHORT)
        (guard,) = door.guards
        await _until(lambda: len(guard.inner._messages) == 1)
        door.let_go.set()
        first, status = await client.answer(), (await client.line()).split()[1]

        assert (b"held", b"404", []) == (first, status, way.taken)


async def just_answered(door: Door) -> tuple[Client, Guard]:
    """Have aiohttp answer a request, and return in the moment in which its own task has not noticed yet."""
    client = await door.connect()
    await client.send(HELD)
    await door.begun.wait()
    (guard,) = door.guards
    door.let_go.set()
    while guard._answering:
        await asyncio.sleep(0)
    return client, guard


async def test_who_asks_at_once_goes_the_short_way_again(way: Way) -> None:
    """What comes before aiohttp has noticed that its answer is out waits for that."""
    async with opened(shorten=way.shorten) as door:
        client, guard = await just_answered(door)
        was_free = guard._is_aiohttp_free()
        for request in (SHORT, GET):
            guard.data_received(request)
        said = [await client.answer() for _ in range(3)]

        assert (False, [b"held", b"short", b"plain"]) == (was_free, said)


async def test_who_goes_away_while_aiohttp_turns_is_not_answered(way: Way) -> None:
    """Nothing is begun for nobody."""
    async with opened(shorten=way.shorten) as door:
        _, guard = await just_answered(door)
        guard.data_received(SHORT)
        guard.connection_lost(None)
        await _until(lambda: guard._turned is None)

        assert [] == way.taken


async def test_failure_is_left_to_aiohttp(way: Way) -> None:
    """A mistake of the short way is told, and costs nobody an answer."""
    way.fails = True
    async with opened(shorten=way.shorten) as door:
        client = await door.connect()
        with structlog.testing.capture_logs() as logged:
            await client.send(SHORT)
            status = (await client.line()).split()[1]

    assert (b"404", ["not answered the short way"]) == (status, [each["event"] for each in logged])


async def test_client_that_goes_away_disturbs_nobody() -> None:
    """Its answer is made, and thrown away."""
    way = Way()
    async with opened(shorten=way.shorten) as door:
        gone, there = await door.connect(), await door.connect()
        await gone.send(SHORT)
        await _until(lambda: bool(way.taken))
        gone.writer.transport.abort()
        way.may_answer.set()
        await there.send(SHORT)

        assert b"short" == await there.answer()


async def test_idle_connection_is_closed_at_last(way: Way) -> None:
    """Also when aiohttp never saw a request of it; one that is being answered is not idle."""
    async with opened(shorten=way.shorten, idle_seconds=0.02) as door:
        idle = await door.connect()
        await idle.send(SHORT)
        said = [await idle.answer(), await idle.until_closed()]
        way.may_answer.clear()
        busy = await door.connect()
        await busy.send(SHORT)
        await door.until_a_slow_one_is_closed()
        way.may_answer.set()
        said.append(await busy.answer())

        assert [b"short", b"", b"short"] == said


async def test_slow_head_is_closed_after_a_short_answer(way: Way) -> None:
    """The guard's time runs whichever way the last request went."""
    async with opened(shorten=way.shorten) as door:
        client = await door.connect()
        await client.send(SHORT)
        first = await client.answer()
        await client.send(HEAD)

        assert (b"short", b"") == (first, await client.until_closed())


async def test_who_reads_no_answers_is_not_read_from(way: Way) -> None:
    """Answers that nobody takes do not fill the memory; when they are taken, it goes on."""
    async with opened(shorten=way.shorten) as door:
        client, witness = await door.connect(), await door.connect()
        way.length = MORE_THAN_THE_SYSTEM_KEEPS
        await client.send(SHORT)
        await _until(lambda: bool(way.taken))
        way.length = 5
        for request in (SHORT, GET):
            await client.send(request)
            await witness.send(GET)
            await witness.answer()
        taken = len(way.taken)
        said = [(await client.answer()).strip() for _ in range(3)]

        assert (1, 2) == (taken, len(way.taken))
        assert [b"short", b"short", b"plain"] == said


async def test_stopping_waits_for_short_answers_and_takes_no_more() -> None:
    """What is under way is answered; what comes then goes to aiohttp, which is stopping, too."""
    way = Way()
    async with opened(shorten=way.shorten) as door:
        early, late = await door.connect(), await door.connect()
        await early.send(SHORT)
        await _until(lambda: bool(way.taken))
        stopping = asyncio.create_task(door.connections.drain(PATIENCE))
        await _until(lambda: door.connections.shorten is None)
        await late.send(SHORT)
        status = (await late.line()).split()[1]
        way.may_answer.set()
        await stopping

        assert (b"404", b"short", 1) == (status, await early.answer(), len(way.taken))


async def test_stopping_waits_no_longer_than_it_may() -> None:
    """A call that never ends ends with its connection."""
    way = Way()
    async with opened(shorten=way.shorten) as door:
        client = await door.connect()
        await client.send(SHORT)
        await _until(lambda: bool(way.taken))
        await door.connections.drain(0.01)

        assert b"" == await client.until_closed()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)
