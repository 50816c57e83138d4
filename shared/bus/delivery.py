"""A message of RabbitMQ in a reader's hands, and how it gets there and back."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from aio_pika.abc import AbstractIncomingMessage

from shared.bus.base import BusUnavailable, Receive
from shared.bus.line import as_unavailable

log = structlog.get_logger(__name__)


MOST_SURVIVED = 10_000
"""Messages remembered; of one that is forgotten each time counts that the broker has counted."""


class Survived:
    """How often this process has had a message before, and lived.

    The broker counts a reader's death whenever a channel or connection goes away with a message in hand: also where the network was at
    fault, or the broker's own patience. Whoever gets the same message again knows better.
    """

    def __init__(self) -> None:
        self._times: OrderedDict[str, int] = OrderedDict()

    def begin(self, message_id: str) -> int:
        """Return how often it was had before, and count once more."""
        before = self._times.get(message_id, 0)
        self._times[message_id] = before + 1
        if len(self._times) > MOST_SURVIVED:
            self._times.popitem(last=False)
        return before

    def die(self, message_id: str) -> None:
        """Take note that its reader failed after all."""
        self._times[message_id] = self._times.get(message_id, 1) - 1

    def end(self, message_id: str) -> None:
        """Forget it: it does not come again."""
        self._times.pop(message_id, None)


class RabbitDelivery:
    """A message in a reader's hands."""

    def __init__(
        self, message: AbstractIncomingMessage, survived: Survived, is_held: Callable[[], bool]
    ) -> None:
        self._message = message
        self._is_held = is_held
        self._id = message.message_id or ""
        self._survived = survived
        # Whoever did not name a message has it counted by the broker alone.
        self._before = survived.begin(self._id) if self._id else 0
        self._settled = False

    @property
    def body(self) -> bytes:
        """Return the message as it came."""
        return self._message.body

    @property
    def redeliveries(self) -> int:
        """Return how often a reader died with this message: the broker's count, less how often this process lived."""
        count = self._message.headers.get("x-delivery-count", 0)
        return max(0, count - self._before) if isinstance(count, int) else 0

    @property
    def is_held(self) -> bool:
        """Tell whether the connection that it came on is still there."""
        return self._is_held()

    async def ack(self) -> None:
        """Acknowledge; on a connection that was lost meanwhile the message comes again, to an idempotent handler."""
        if await self._settle("ack", self._message.ack):
            self._survived.end(self._id)

    async def release(self) -> None:
        """Hand the message back; not counted as a failure by RabbitMQ 4.3."""
        await self._settle("release", partial(self._message.nack, requeue=True))

    async def abandon(self) -> None:
        """Give back what its reader left unsettled; counted by every RabbitMQ, since a reject is a failure also to 4.3."""
        if not self._settled and self._id:
            self._survived.die(self._id)
        await self._settle("abandon", partial(self._message.reject, requeue=True))

    async def _settle(self, act: str, say: Callable[[], Awaitable[None]]) -> bool:
        """Say what became of the message, once, and tell whether the broker heard it."""
        if self._settled:
            return False
        self._settled = True
        try:
            with as_unavailable():
                await say()
        except BusUnavailable:
            log.info("message comes again, connection lost", act=act, message_id=self._id)
            return False
        return True


async def hand_over(receive: Receive, delivery: RabbitDelivery) -> None:
    """Give a message to its reader, and back to the broker if the reader ends without settling it."""
    try:
        await receive(delivery)
    except Exception:
        log.exception("reader failed")
    finally:
        await delivery.abandon()
