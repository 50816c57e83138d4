"""A message of RabbitMQ in a reader's hands, and how it gets there and back."""

from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from aio_pika.abc import AbstractIncomingMessage

from shared.bus.base import BusUnavailable, Receive
from shared.bus.line import as_unavailable

log = structlog.get_logger(__name__)


class RabbitDelivery:
    """A message in a reader's hands."""

    def __init__(self, message: AbstractIncomingMessage) -> None:
        self._message = message
        self._settled = False

    @property
    def body(self) -> bytes:
        """Return the message as it came."""
        return self._message.body

    @property
    def redeliveries(self) -> int:
        """Return the broker's count of how often a reader died with this message."""
        count = self._message.headers.get("x-delivery-count", 0)
        return count if isinstance(count, int) else 0

    async def ack(self) -> None:
        """Acknowledge; on a connection that was lost meanwhile the message comes again, to an idempotent handler."""
        await self._settle("ack", self._message.ack)

    async def release(self) -> None:
        """Hand the message back; not counted as a failure by RabbitMQ 4.3."""
        await self._settle("release", partial(self._message.nack, requeue=True))

    async def abandon(self) -> None:
        """Give back what its reader left unsettled; counted by every RabbitMQ, since a reject is a failure also to 4.3."""
        await self._settle("abandon", partial(self._message.reject, requeue=True))

    async def _settle(self, act: str, say: Callable[[], Awaitable[None]]) -> None:
        if self._settled:
            return
        self._settled = True
        try:
            with as_unavailable():
                await say()
        except BusUnavailable:
            log.info("message comes again, connection lost", act=act, message_id=self._message.message_id)


async def hand_over(receive: Receive, delivery: RabbitDelivery) -> None:
    """Give a message to its reader, and back to the broker if the reader ends without settling it."""
    try:
        await receive(delivery)
    except Exception:
        log.exception("reader failed")
    finally:
        await delivery.abandon()
