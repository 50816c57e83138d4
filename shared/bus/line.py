"""A line to the broker: one connection, and everything on it, made again whenever any of it is lost.

aio-pika can restore a connection by itself, channel by channel. Here the whole line is thrown away and built anew instead:
one path for the first start and for every loss, and none of the cases in which a restored consumer is gone, or is cancelled
by the broker for using its old tag again (RabbitMQ 4.3), while its connection looks fine.
"""

import asyncio
from collections.abc import Awaitable, Callable

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPException

from shared.bus.base import BusUnavailable

BROKER_ERRORS = (AMQPException, OSError, RuntimeError, TimeoutError)
"""What a lost or unwilling broker looks like from here; aio-pika raises a bare RuntimeError on a closed connection."""

_CONNECT_SECONDS = 10
_WAITS = (0.2, 0.5, 1, 2, 5)

log = structlog.get_logger(__name__)

Prepare = Callable[["Line"], Awaitable[None]]


class Line:
    """One connection that is always being held, or being made again."""

    def __init__(self, url: str, *, name: str, prepare: Prepare) -> None:
        self._url = url
        self._name = name
        self._prepare = prepare
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._connection: AbstractConnection | None = None

    @property
    def is_up(self) -> bool:
        """Tell whether everything on this line is in place."""
        return self._up.is_set()

    def lose(self, *_: object) -> None:
        """Give the line up, so that it is made again; what is under way on it fails."""
        self._lost.set()

    async def errand(self) -> AbstractChannel:
        """Open a channel for a moment, whose end means nothing.

        Raises:
            BusUnavailable: there is no connection.
        """
        if self._connection is None:
            raise BusUnavailable("not connected to the broker")
        return await self._connection.channel()

    async def channel(self, *, prefetch: int = 0, on_return_raises: bool = False) -> AbstractChannel:
        """Open a channel whose loss is the loss of the line.

        Raises:
            BusUnavailable: there is no connection.
        """
        if self._connection is None:
            raise BusUnavailable("not connected to the broker")
        channel = await self._connection.channel(on_return_raises=on_return_raises)
        if prefetch:
            await channel.set_qos(prefetch_count=prefetch)
        underlay = await channel.get_underlay_channel()
        # The broker cancels a consumer whose queue was deleted, or whose handler took too long (4.3).
        underlay.on_consumer_cancel_callbacks.add(self.lose)
        channel.close_callbacks.add(self.lose)
        return channel

    async def hold(self) -> None:
        """Make the connection, and make it again, until cancelled."""
        failures = 0
        while True:
            try:
                await self._hold_once()
                failures = 0
            except (*BROKER_ERRORS, BusUnavailable) as error:
                failures += 1
                reason = type(error).__name__
            else:
                reason = "connection lost"
            wait = _WAITS[min(failures, len(_WAITS) - 1)]
            log.warning("broker away", line=self._name, reason=reason, again_in_s=wait)
            await asyncio.sleep(wait)

    async def _hold_once(self) -> None:
        self._lost.clear()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                self._connection = await aio_pika.connect(
                    self._url, heartbeat=10, client_properties={"connection_name": self._name}
                )
                self._connection.close_callbacks.add(self.lose)
                await self._prepare(self)
            self._up.set()
            log.info("broker connected", line=self._name)
            await self._lost.wait()
        finally:
            self._up.clear()
            await self._close()

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            async with asyncio.timeout(5):
                await connection.close()
        except BROKER_ERRORS:
            return
