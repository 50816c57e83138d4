"""A connection to the broker that is opened, and closed, in time, whatever the broker does."""

import asyncio
from typing import Any

from aio_pika import Connection
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

CLOSE_SECONDS = 5
"""How long a good-bye may take; then the broker hears no more of the connection."""


class Dial(TransportFactory):
    """One connection, once.

    Cancelled, the driver still waits until the broker has taken all that was sent, and with TLS half a minute for its good-bye
    (aiormq 7.2). A broker that is short of memory takes nothing, and keeps the connection alive. So what ends the driver's
    waiting is that its socket is gone, which it lets nobody reach but whoever opens it.
    """

    def __init__(self, url: URL, *, name: str) -> None:
        self.connection = Connection(url, client_properties={"connection_name": name})
        self.connection.kwargs["transport_factory"] = self
        self._writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open the socket as the driver would by itself; called by the driver."""
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, self._writer = await factory.create(url, **options)
        return reader, self._writer

    async def open(self, *, seconds: float) -> None:
        """Connect; whatever this raises, `close` is to be called."""
        opening = asyncio.create_task(self.connection.connect())
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(opening)
        finally:
            if not opening.done():
                self._cut()
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)

    async def close(self) -> None:
        """Say good-bye, and throw away what the broker does not take."""
        cutting = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._cut)
        try:
            await self.connection.close()
        finally:
            cutting.cancel()
            self._cut()

    def _cut(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
