"""Connections from outside: so many at a time, and none that takes its time to say what it wants.

aiohttp bounds how long a connection may be idle between requests, and `gateway.app` how long a body may take; a request's head
it would wait for as long as a byte comes now and then. The cost for an honest request is one look at the clock.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from aiohttp import web

HEAD_SECONDS = 10.0
"""From the first byte of a request to the last of its head."""
SWEEP_SECONDS = 2.5
"""Between two looks for connections that take too long."""

log = structlog.get_logger(__name__)


class Connections:
    """The connections of one gateway."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[asyncio.BaseProtocol, _Guard] = {}
        self._refused = 0

    def guarded(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return what makes protocols that are watched; *make* makes aiohttp's own."""
        return lambda: _Guard(make(), self)

    @contextmanager
    def answering(self, request: web.Request) -> Iterator[None]:
        """Leave a connection alone while its request, whose head is complete, is answered."""
        guard = self._open.get(request.protocol)
        if guard is None:
            yield
            return
        guard.waiting_since, guard.answering = None, True
        try:
            yield
        finally:
            guard.answering = False

    async def sweep(self) -> None:
        """Close, again and again, what takes too long; runs until it is cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            late = [guard for guard in self._open.values() if guard.is_late(clock())]
            for guard in late:
                guard.abort()
            if late or self._refused:
                log.info("connections closed", too_slow=len(late), too_many=self._refused, open=len(self._open))
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
        self.waiting_since: float | None = None
        self.answering = False
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._time = asyncio.get_running_loop().time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if not self._connections.admit(self):
            transport.abort()
            return
        self._transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if self.waiting_since is None and not self.answering:
            self.waiting_since = self._time()
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

    def is_late(self, now: float) -> bool:
        """Tell whether the head of a request has been coming for too long."""
        return self.waiting_since is not None and now - self.waiting_since > HEAD_SECONDS

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()
