"""Connections from outside: so many at a time, and none that takes its time to say what it wants.

aiohttp bounds how long a connection may be idle between requests, and `gateway.app` how long a body may take; a request's head
it would wait for as long as a byte comes now and then. The cost for an honest request is one look at the clock.

Here, too, the two ways of answering part: what `nonstop` can answer it gets, aiohttp gets everything else (`gateway.guard`).
"""

import asyncio
import resource
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from gateway.guard import Guard, Shorten
from gateway.heads import Heads

HEAD_SECONDS = 10.0
"""From the first byte of a request to the last of its head."""
IDLE_SECONDS = 75.0
"""How long a connection may be silent before its first request and between two."""
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
        shorten: gives the answer to a whole request, or None where aiohttp has to; None: aiohttp answers everything.
        head_seconds: how long a request's head may take.
        idle_seconds: how long a connection may be silent after an answer that aiohttp does not know of.
        sweep_seconds: how long a look for late ones comes after the last one.
    """

    def __init__(
        self,
        most: int,
        *,
        shorten: Shorten | None = None,
        head_seconds: float = HEAD_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self.shorten = shorten
        self.heads = Heads()
        self._most = most
        self._head_seconds = head_seconds
        self._idle_seconds = idle_seconds
        self._sweep_seconds = sweep_seconds
        self._open: dict[asyncio.BaseProtocol, Guard] = {}
        self._refused = 0

    def guarded(self, make: Callable[[], web.RequestHandler]) -> Callable[[], asyncio.Protocol]:
        """Return what makes protocols that are watched; *make* makes aiohttp's own."""
        return lambda: Guard(make(), self)

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
            guards, now = tuple(self._open.values()), clock()
            late = [guard for guard in guards if guard.is_late(now, self._head_seconds)]
            for guard in late:
                guard.abort()
            for guard in guards:
                guard.close_if_idle(now, self._idle_seconds)
            if late or self._refused:
                log.info(
                    "connections closed", too_slow=len(late), too_many=self._refused, open=len(self._open)
                )
                self._refused = 0

    async def drain(self, seconds: float) -> None:
        """Leave everything new to aiohttp, and wait for the answers that it does not know of; none takes longer than *seconds*."""
        self.shorten = None
        replies = [guard.reply for guard in self._open.values() if guard.reply is not None]
        if replies:
            _, late = await asyncio.wait(replies, timeout=seconds)
            for reply in late:
                reply.cancel()

    def admit(self, guard: Guard) -> bool:
        """Take a connection in, unless there are too many."""
        if len(self._open) >= self._most:
            self._refused += 1
            return False
        self._open[guard.inner] = guard
        return True

    def forget(self, guard: Guard) -> None:
        """Let a connection go that has ended."""
        self._open.pop(guard.inner, None)


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
