"""The way to the broker: one line, on which every message is confirmed, and counted by what became of it."""

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import DeliveryError, PublishError

from shared import wire
from shared.bus.base import BusUnavailable
from shared.bus.gathering import Gathering
from shared.bus.line import Line, as_unavailable
from shared.bus.topology import Topology, prepare
from shared.messages import Event
from shared.metrics import Timed

PUBLISH_SECONDS = 3.0
"""How long a confirm may take; after that the message may or may not have been taken."""
DIRECT = ""
"""The exchange that AMQP has for everybody: the routing key is a queue's name."""

_RETURNED = "returned"
_Target = tuple[str, str, type[Event]]
"""Exchange, routing key, and kind."""


class Publishing:
    """What is sent to the broker."""

    def __init__(
        self, url: str, names: Topology, lifetimes: Mapping[type[Event], float], publishes: Timed
    ) -> None:
        self.line = Line(url, name="latchkey publishing", prepare=self._prepare)
        self._names = names
        self._lifetimes = lifetimes
        self._publishes = publishes
        self._exchanges: dict[str, AbstractExchange] = {}
        self._gathering = Gathering(self._send_gathered)
        known = {names.work: "work", names.results: "results", names.dead: "dead", DIRECT: "replay"}
        self._words = known | dict.fromkeys(map(names.retry, names.delays), "retry")
        for word in self._words.values():
            publishes.begin(word, _RETURNED)

    async def gather(self, exchange: str, key: str, events: Sequence[Event]) -> None:
        """Send events of one kind, in one message with others of the kind.

        Raises:
            BusUnavailable: not confirmed in time, or no queue took it.
        """
        target = (exchange, key, wire.kind_of(events))
        await self._gathering.put(target, list(map(wire.encode_event, events)))

    async def send(
        self,
        exchange: str,
        key: str,
        body: bytes,
        *,
        mandatory: bool = True,
        expires_in: float | None = None,
        headers: dict[str, str] | None = None,
        at: int | None = None,
    ) -> None:
        """Send one message.

        Raises:
            BusUnavailable: not confirmed in time, or it is mandatory and no queue took it.
        """
        message = Message(
            body,
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT if mandatory else DeliveryMode.NOT_PERSISTENT,
            # Returned messages are matched by their id, so that no two under way may share one (aiormq 7.2).
            message_id=uuid.uuid4().hex,
            expiration=expires_in,
            headers=dict(headers or {}),
            timestamp=at,
        )
        with as_unavailable(), self._counted(self._words[exchange]):
            if not self.line.is_up:
                raise BusUnavailable("not connected to the broker")
            # The timeout of publish itself does not cover waiting for a blocked connection.
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._exchanges[exchange].publish(message, key, mandatory=mandatory)

    async def close(self) -> None:
        """Give up what is not confirmed yet."""
        await self._gathering.close()

    async def _send_gathered(self, target: _Target, events: Sequence[bytes]) -> None:
        exchange, key, kind = target
        await self.send(
            exchange,
            key,
            wire.packed(kind, events),
            mandatory=exchange == self._names.work,
            expires_in=self._lifetimes.get(kind),
        )

    @contextmanager
    def _counted(self, to: str) -> Iterator[None]:
        started, outcome = time.monotonic(), "away"
        try:
            yield
            outcome = "ok"
        except DeliveryError as error:
            outcome = _RETURNED if isinstance(error, PublishError) else "nacked"
            raise
        except TimeoutError:
            outcome = "timeout"
            raise
        finally:
            self._publishes.observe(time.monotonic() - started, to, outcome)

    async def _prepare(self, line: Line) -> None:
        channel = await line.channel(on_return_raises=True)
        await prepare(channel, self._names)
        names = [
            self._names.work,
            self._names.results,
            self._names.dead,
            *map(self._names.retry, self._names.delays),
        ]
        self._exchanges = {name: await channel.get_exchange(name, ensure=False) for name in names}
        self._exchanges[DIRECT] = channel.default_exchange
