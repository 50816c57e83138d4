"""A relay between a client and a server, to count what is said, and to let a network go silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on, until it is told to swallow them."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self._port = 0
        self._numbers = count()
        self._silent_below = 0
        self._deaf_below = 0
        #: Seconds by which each answer of the server is late.
        self.delay = 0.0
        self._writers: list[asyncio.StreamWriter] = []
        #: How often a client has said something.
        self.requests = 0

    @property
    def url(self) -> str:
        """The server's URL, through this relay."""
        user = self._server.netloc.rpartition("@")[0]
        return self._server._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    def fall_silent(self) -> None:
        """Swallow all that comes on the connections there are, and leave them open; new ones work."""
        self._silent_below = next(self._numbers)

    def go_deaf(self) -> None:
        """Take nothing more from the clients there are, as a broker that is short of memory; what it says still comes."""
        self._deaf_below = next(self._numbers)

    async def listen(self) -> asyncio.Server:
        """Begin to relay, on a free port."""
        listener = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self._port = listener.sockets[0].getsockname()[1]
        return listener

    async def cut(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._numbers)
        server_reader, server_writer = await asyncio.open_connection(self._server.hostname, self._server.port)
        self._writers += writer, server_writer
        async with asyncio.TaskGroup() as both_ways:
            both_ways.create_task(self._pass(reader, server_writer, number, is_request=True))
            both_ways.create_task(self._pass(server_reader, writer, number, is_request=False))

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, number: int, *, is_request: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if is_request and number < self._deaf_below:
                    await asyncio.Event().wait()
                self.requests += is_request
                if not is_request and self.delay:
                    await asyncio.sleep(self.delay)
                if number >= self._silent_below:
                    target.write(data)
                    await target.drain()
        if number >= self._silent_below:
            target.close()


@asynccontextmanager
async def relaying(url: str) -> AsyncIterator[Relay]:
    """Relay to the server of *url*, for who connects to `Relay.url`."""
    relay = Relay(url)
    async with await relay.listen():
        try:
            yield relay
        finally:
            await relay.cut()
