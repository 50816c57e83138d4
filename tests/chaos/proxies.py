"""Cables with faults: TCP proxies on loopback between our processes and their servers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

CHUNK = 65536
COMMIT = b"COMMIT"


class Fault(Enum):
    """What a cable does instead of carrying bytes."""

    NONE = "carries"
    BLACK_HOLE = "swallows everything, and keeps every connection open"
    LOSE_ANSWERS = "carries what is asked, and swallows what is answered"
    NO_END = "carries what is said, and not that the server has hung up"
    REFUSE = "cuts every connection, and takes no new one"


@dataclass(kw_only=True)
class Strike:
    """Something that happens once, when our process sends for the *at*th time from now."""

    at: int
    before: bool
    """Whether the server is not to get these bytes any more."""
    act: Callable[[], None]
    count: int = 0
    done: bool = False


class Cable:
    """Carries bytes both ways between our processes and one server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._parts = parts
        self._server = (str(parts.hostname), int(str(parts.port)))
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._healed = asyncio.Event()
        self._fault = Fault.NONE
        self._commits = 0
        self.lose_commit_answers = 0
        """Of so many commits that pass, the answer to one is cut after the server has it; 0: none."""
        self.cut_commits = 0
        self.ended = 0
        """Connections on which the server has hung up."""
        self._strike: Strike | None = None

    @property
    def url(self) -> str:
        """Return the server's address, through this cable."""
        user = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    def arm(self, strike: Strike | None) -> None:
        """Have something happen at a certain moment of what is said from now on."""
        self._strike = strike

    def retarget(self, url: str) -> None:
        """Lead new connections to another server, and cut those there are."""
        parts = urlsplit(url)
        self._server = (str(parts.hostname), int(str(parts.port)))
        self.reset()

    def suffer(self, fault: Fault) -> None:
        """Begin a fault."""
        self._fault = fault
        if fault is Fault.REFUSE:
            self.reset()

    def heal(self) -> None:
        """End the fault. What was swallowed stays lost, so connections that missed something are cut."""
        swallowed = self._fault in {Fault.BLACK_HOLE, Fault.LOSE_ANSWERS}
        self._fault = Fault.NONE
        if swallowed:
            self.reset()

    def reset(self) -> None:
        """Cut every connection as a crash does."""
        for writer in self._writers:
            writer.transport.abort()

    async def listen(self) -> asyncio.Server:
        """Begin to carry, on a free port."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def idle(self) -> None:
        """Wait until no connection is left."""
        self.reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._fault is Fault.REFUSE:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(*self._server)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._ask(reader, back, ends))
                both_ways.create_task(self._answer(there, writer))
        except* OSError:
            pass
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _ask(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, ends: set[asyncio.StreamWriter]
    ) -> None:
        while data := await source.read(CHUNK):
            if self._fault is Fault.BLACK_HOLE:
                continue
            if self._is_commit_to_cut(data):
                # Sent, and a moment later deaf: the server commits, the client never hears of it.
                target.write(data)
                await target.drain()
                await self._until_committed()
                for end in ends:
                    end.transport.abort()
                return
            # Whoever is struck dead hangs up, as the kernel does for the dead.
            if self._struck(before=True):
                break
            target.write(data)
            await target.drain()
            if self._struck(before=False):
                break
        with suppress(OSError):
            target.write_eof()

    async def _answer(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            if self._fault in {Fault.BLACK_HOLE, Fault.LOSE_ANSWERS}:
                continue
            target.write(data)
            await target.drain()
        self.ended += 1
        if self._fault is not Fault.NO_END:
            target.close()

    def _struck(self, *, before: bool) -> bool:
        strike = self._strike
        if strike is None or strike.done or strike.before != before:
            return False
        strike.count += 1
        if strike.count < strike.at:
            return False
        strike.done = True
        strike.act()
        return True

    def _is_commit_to_cut(self, data: bytes) -> bool:
        if not self.lose_commit_answers or COMMIT not in data:
            return False
        self._commits += 1
        if self._commits % self.lose_commit_answers:
            return False
        self.cut_commits += 1
        return True

    async def _until_committed(self) -> None:
        # PostgreSQL has no way to be asked whether a session's commit is through but the answer we are about to lose;
        # a commit takes a millisecond, and one that is cut before it is through is a fault worth having, too.
        await asyncio.sleep(0.05)


@asynccontextmanager
async def cable(url: str) -> AsyncIterator[Cable]:
    """Lay a cable to the server of *url*."""
    laid = Cable(url)
    server = await laid.listen()
    try:
        yield laid
    finally:
        server.close()
        await laid.idle()
