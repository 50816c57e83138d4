"""Stands between one connection and aiohttp's protocol: watches it, and lets what can go the short way go it.

The two ways share the connection under three rules. Whatever may be read in more than one way goes to aiohttp, and once it is not certain
where a request of its ends, all that follows does. A request goes the short way only when aiohttp has nothing of the connection in hand.
And while one is answered that way, what comes behind it waits.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

import structlog
from aiohttp import StreamReader, web

from gateway.heads import Head, Heads

Shorten = Callable[[Head, bytes, str | None], Coroutine[Any, Any, bytes] | None]
"""Gives what makes the answer to a whole request from somebody's address, or None if aiohttp has to."""

log = structlog.get_logger(__name__)


class House(Protocol):
    """What all connections have in common."""

    heads: Heads
    shorten: Shorten | None

    def admit(self, guard: "Guard") -> bool:
        """Take a connection in, unless there are too many."""
        ...

    def forget(self, guard: "Guard") -> None:
        """Let a connection go that has ended."""
        ...


class Guard(asyncio.Protocol):
    """One connection."""

    def __init__(self, inner: web.RequestHandler, house: House) -> None:
        self.inner = inner
        self.reply: asyncio.Task[bytes] | None = None
        """The answer that is being made the short way."""
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer: str | None = None
        self._head_since: float | None = None
        self._body: StreamReader | None = None
        """Of the last request that aiohttp got; what comes before its end is no head."""
        self._answering = False
        self._owed: int | None = 0
        """Bytes of a request that aiohttp has still to get; None when that is not certain, and never will be again."""
        self._request = b""
        """What is being answered the short way."""
        self._held = b""
        """What came meanwhile."""
        self._turned: tuple[Head, bytes] | None = None
        """A whole request that waits for aiohttp to have its turn."""
        self._is_writable = True
        self._idle_since: float | None = None
        """When the last answer was out, if aiohttp does not know of it."""

    def begin(self, body: StreamReader) -> None:
        """Take note that a head is complete."""
        self._head_since, self._body, self._answering = None, body, True

    def end(self) -> None:
        """Take note that a request is answered; the head of a next one, if its bytes came meanwhile, counts from now."""
        self._answering = False
        if self._head_since is not None:
            self._head_since = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in, or close it."""
        stream = cast("asyncio.Transport", transport)  # uvloop's does not derive from it
        if not self._house.admit(self):
            stream.abort()
            return
        self._transport = stream
        address = stream.get_extra_info("peername")
        self._peer = str(address[0]) if isinstance(address, tuple | list) else address
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Decide which way bytes go, and when."""
        if self._transport is None:
            return
        if self.reply is not None or self._turned is not None or not self._is_writable:
            # Whoever does not read his answers is not read from either.
            self._held += data
            self._transport.pause_reading()
        elif not self._is_shortened(data):
            self._hand_on(data)

    def eof_received(self) -> None:
        """Let the connection be closed: nothing more will come."""
        if self._transport is not None:
            self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody that it is over; an answer under way is made to its end, for nobody."""
        self._house.forget(self)
        if self._transport is not None:
            self._transport = None
            self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Take note that answers are not read."""
        self._is_writable = False
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Take note that they are read again."""
        self._is_writable = True
        self.inner.resume_writing()
        self._go_on()

    def is_late(self, now: float, head_seconds: float) -> bool:
        """Tell whether the head of a request has been coming for too long."""
        return not self._answering and self._head_since is not None and now - self._head_since > head_seconds

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def close_if_idle(self, now: float, idle_seconds: float) -> None:
        """Close the connection if nothing has come for too long, and aiohttp does not see to that."""
        idle = self._idle_since is not None and now - self._idle_since > idle_seconds
        if idle and self._transport is not None:
            self._transport.close()

    def _is_shortened(self, data: bytes) -> bool:
        """Take account of where requests end, and begin to answer a whole one the short way if that can be."""
        if self._owed is None or self._house.shorten is None:
            self._owed = None
            return False
        if self._owed:
            self._owed = _difference(self._owed, len(data))
            return False
        head = self._house.heads.read(data)
        self._owed = None if head is None else _difference(head.end, len(data))
        if head is None or self._owed != 0 or self._answering:
            return False
        if self._is_aiohttp_free():
            return self._begin_short(head, data)
        # Its answer is out, but it needs another turn of the loop to wait for the next request, and whoever asks at once would be left to
        # it for ever.
        self._turned = head, data
        self._loop.call_soon(self._after_turn)
        return True

    def _after_turn(self) -> None:
        turned, self._turned = self._turned, None
        if self._transport is None or turned is None:
            return
        if not (self._is_aiohttp_free() and self._begin_short(*turned)):
            self._hand_on(turned[1])
        self._go_on()

    def _begin_short(self, head: Head, data: bytes) -> bool:
        """Begin to answer a request that can go the short way."""
        shorten = self._house.shorten
        answer = shorten(head, data, self._peer) if shorten is not None else None
        if answer is None:
            return False
        # The timer of aiohttp would take the connection for idle.
        self.inner.keep_alive(True)
        self._idle_since, self._request = None, data
        self.reply = self._loop.create_task(answer)
        self.reply.add_done_callback(self._finish)
        return True

    def _is_aiohttp_free(self) -> bool:
        """Tell whether aiohttp has answered all it got; it waits for the next request then, which nothing but this tells."""
        waiter: asyncio.Future[None] | None = getattr(self.inner, "_waiter", None)
        return waiter is not None and not waiter.done()

    def _finish(self, reply: asyncio.Task[bytes]) -> None:
        request, self.reply, self._request = self._request, None, b""
        error = asyncio.CancelledError() if reply.cancelled() else reply.exception()
        if self._transport is None:
            return
        if error is None:
            self._transport.write(reply.result())
            self._idle_since = self._loop.time()
            self._go_on()
        elif reply.cancelled():
            self._transport.abort()
        else:
            log.error("not answered the short way", exc_info=error)
            self._hand_on(request)
            self._go_on()

    def _go_on(self) -> None:
        """Turn to what came while there was no time for it."""
        is_free = self.reply is None and self._turned is None
        if self._held and self._is_writable and is_free and self._transport is not None:
            held, self._held = self._held, b""
            self._transport.resume_reading()
            self.data_received(held)

    def _hand_on(self, data: bytes) -> None:
        self._idle_since = None
        if self._head_since is None and (self._body is None or self._body.is_eof()):
            self._head_since = self._loop.time()
        self.inner.data_received(data)


def _difference(needed: int, there: int) -> int | None:
    """Return how many bytes are missing, or None if there are more than belong to one request."""
    return needed - there if there <= needed else None
