"""Connections from outside: so many at a time, and none that takes its time to say what it wants.

aiohttp bounds how long a connection may be idle between requests, and `gateway.app` how long a body may take; a request's head
it would wait for as long as a byte comes now and then. The cost for an honest request is one look at the clock.
"""

import asyncio
import resource
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
from aiohttp import StreamReader, web

HEAD_SECONDS = 10.0
"""From the first byte of a request to the last of its head."""
SWEEP_SECONDS = 2.5
"""Between two looks for connections that take too long."""

OTHER_FILES = 256
"""What a process needs to have open beside its connections: databases, the broker, content servers, files."""

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)


class Connections:
    """The connections of one gateway.

    Args:
        most: how many may be open at the same time.
        head_seconds: how long a request's head may take.
        sweep_seconds: how long a look for late ones comes after the last one.
    """

    def __init__(
        self, most: int, *, head_seconds: float = HEAD_SECONDS, sweep_seconds: float = SWEEP_SECONDS
    ) -> None:
        self._most = most
        self._head_seconds = head_seconds
        self._sweep_seconds = sweep_seconds
        self._open: dict[asyncio.BaseProtocol, _Guard] = {}
        self._refused = 0

    def guarded(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return what makes protocols that are watched; *make* makes aiohttp's own."""
        return lambda: _Guard(make(), self)

    def answering(self, answer: Answer) -> Answer:
        """Return *answer*, which answers requests whose heads are complete, with their connections left alone meanwhile."""

        async def watched(request: web.BaseRequest) -> web.StreamResponse:
            guard = self._open.get(request.protocol)
            if guard is None:
                return await answer(request)
            guard.begin(request.content)
            try:
                return await answer(request)
            finally:
                guard.end()

        return watched

    async def sweep(self) -> None:
        """Close, again and again, what takes too long; runs until it is cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._sweep_seconds)
            late = [guard for guard in self._open.values() if guard.is_late(clock(), self._head_seconds)]
            for guard in late:
                guard.abort()
            if late or self._refused:
                log.info(
                    "connections closed", too_slow=len(late), too_many=self._refused, open=len(self._open)
                )
                self._refused = 0

    def admit(self, guard: "_Guard") -> bool:
        """Take a connection in, unless there are too many."""
        if len(self._open) >= self._most:
            self._refused += 1
            return False
        self._open[guard.inner] = guard
        return True

    def forget(self, guard: "_Guard") -> None:
        """Let a connection go that has ended."""
        self._open.pop(guard.inner, None)


class _Guard(asyncio.Protocol):
    """Stands between a connection and aiohttp's protocol, and hands everything on."""

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self.inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._time = asyncio.get_running_loop().time
        self._head_since: float | None = None
        self._body: StreamReader | None = None
        """Of the last request; what comes before its end is no head."""
        self._answering = False

    def begin(self, body: StreamReader) -> None:
        """Take note that a head is complete."""
        self._head_since, self._body, self._answering = None, body, True

    def end(self) -> None:
        """Take note that a request is answered; the head of a next one, if its bytes came meanwhile, counts from now."""
        self._answering = False
        if self._head_since is not None:
            self._head_since = self._time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # uvloop's does not derive from it
        if not self._connections.admit(self):
            stream.abort()
            return
        self._transport = stream
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if self._head_since is None and (self._body is None or self._body.is_eof()):
            self._head_since = self._time()
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._transport is None else self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.forget(self)
        if self._transport is not None:
            self._transport = None
            self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def is_late(self, now: float, head_seconds: float) -> bool:
        """Tell whether the head of a request has been coming for too long."""
        return not self._answering and self._head_since is not None and now - self._head_since > head_seconds

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()


def room_for(most: int) -> int:
    """Let the process have as many files open as *most* connections need; return how many connections it can have.

    Without, the operating system refuses in our place, once a second, in words that say nothing.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = most + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return most
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    room = max(1, allowed - OTHER_FILES)
    if room < most:
        log.warning("fewer connections than asked for: raise the limit of open files", room=room, asked=most)
    return room
