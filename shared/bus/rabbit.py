"""The bus on RabbitMQ, 3.10 and 4: quorum queues, confirmed publishing, delayed retry, dead letters.

Two lines, since a broker that is short of memory or disk stops reading from connections that publish: workers go on
acknowledging on the other. Nothing on a line is asked for while requests are served: an RPC that is cancelled or times out
closes its channel for everybody (aio-pika 10.2).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from shared import wire
from shared.bus import letters
from shared.bus.base import (
    ALL_GATEWAYS,
    LIFETIMES,
    RETRY_DELAYS,
    BusUnavailable,
    DeadLetter,
    Now,
    Receive,
    ReceiveResult,
    delay_before,
)
from shared.bus.delivery import RabbitDelivery, Survived, hand_over
from shared.bus.flow import Flow, waiting_in
from shared.bus.line import Line, as_unavailable
from shared.bus.publishing import DIRECT, PUBLISH_SECONDS, Publishing
from shared.bus.topology import Topology, prepare
from shared.messages import WORK, Event
from shared.metrics import Metrics

_T = TypeVar("_T")

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_rabbit(
    url: str,
    *,
    prefix: str = "latchkey",
    delays: Sequence[float] = RETRY_DELAYS,
    lifetimes: Mapping[type[Event], float] = LIFETIMES,
    declares: bool = True,
    now: Now | None = None,
    metrics: Metrics | None = None,
) -> AsyncIterator["RabbitBus"]:
    """Open the bus; it connects by itself, now or as soon as the broker is there.

    Args:
        url: `amqp://...`; `?heartbeat=` in it is heeded.
        prefix: first part of the name of everything at the broker.
        delays: seconds before the second, third, ... attempt.
        lifetimes: kind -> seconds after which a message is forgotten.
        declares: whether to declare what has to be at the broker, or only to look that it is there.
        now: tells when a message was buried; without it nobody will know.
        metrics: where it is counted what becomes of messages.
    """
    bus = RabbitBus(
        url, Topology(prefix=prefix, delays=delays, declares=declares), lifetimes, now, metrics or Metrics()
    )
    holders = [asyncio.create_task(line.hold()) for line in bus.lines]
    try:
        yield bus
    finally:
        await bus.end_publishing()
        for line, holder in zip(bus.lines, holders, strict=True):
            line.end()
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)
        await bus.end_readers()


@dataclass(slots=True, kw_only=True)
class _Consumer:
    queue: str
    receive: Receive
    flow: Flow
    on_broker: AbstractQueue | None = None
    tag: str = ""
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listener:
    gateway: str
    receive: ReceiveResult


class RabbitBus:
    """The bus, with what has been asked of it: consumers and listeners are put in place on every new connection."""

    def __init__(
        self,
        url: str,
        names: Topology,
        lifetimes: Mapping[type[Event], float],
        now: Now | None,
        metrics: Metrics,
    ) -> None:
        self._names = names
        self._now = now
        self._metrics = metrics
        self._publishing = Publishing(url, names, lifetimes, metrics.publishes)
        self._consuming = Line(url, name="latchkey consuming", prepare=self._prepare_consuming)
        self._consumers: list[_Consumer] = []
        self._listeners: list[_Listener] = []
        self._in_hand: set[asyncio.Task[None]] = set()
        self._survived = Survived()
        metrics.sources.append(self._measure)

    @property
    def lines(self) -> tuple[Line, Line]:
        """Return the two connections, which somebody has to hold."""
        return (self._publishing.line, self._consuming)

    async def publish(self, events: Sequence[Event]) -> None:
        """Send events of one kind to the work queue of that kind, in one message with others of the kind."""
        await self._publishing.gather(self._names.work, wire.kind_of(events).kind, events)

    async def answer(self, gateway: str, *events: Event) -> None:
        """Send results of one kind to one gateway or to all; the queue of one that is gone has gone with it."""
        await self._publishing.gather(self._names.results, gateway, events)

    async def retry(self, queue: str, event: Event, *, attempt: int) -> None:
        """Let one event wait in the retry queue of its delay, and come back to its work queue."""
        exchange = self._names.retry(delay_before(attempt, self._names.delays))
        body = wire.encode([event], attempt=attempt)
        await self._publishing.send(exchange, self._names.queue(queue), body)

    async def bury(self, queue: str, body: bytes, *, reason: str) -> None:
        """Put a message into the dead letters, with its queue and the reason in its headers."""
        headers, at = {"queue": queue, "reason": reason}, self._now() if self._now else None
        await self._publishing.send(self._names.dead, "", body, headers=headers, at=at)

    async def consume(self, queue: str, receive: Receive, *, prefetch: int) -> None:
        """Start giving the messages of a work queue to *receive*, now or when the broker is there."""
        consumer = _Consumer(queue=queue, receive=receive, flow=Flow(room=prefetch))
        self._consumers.append(consumer)
        await self._now_if_up(self._place, consumer)

    async def listen(self, gateway: str, receive: ReceiveResult) -> None:
        """Start giving results to *receive*, now or when the broker is there."""
        listener = _Listener(gateway=gateway, receive=receive)
        self._listeners.append(listener)
        await self._now_if_up(self._attach, listener)

    async def stop_consuming(self) -> None:
        """Cancel the consumers; messages in hand stay with their receivers."""
        consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.stopped = True
        for consumer in consumers:
            if self._consuming.is_up:
                await self._displace(consumer)

    async def end_publishing(self) -> None:
        """Give up what is not confirmed yet."""
        await self._publishing.close()

    async def end_readers(self) -> None:
        """Cancel whoever still has a message in hand; the broker has taken it back with the connection."""
        readers = list(self._in_hand)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        with as_unavailable():
            return await letters.oldest(await self._publishing.line.errand(), self._names.dead, limit)

    async def replay(self, letter_ids: Collection[str]) -> int:
        """Put dead letters back into their queues."""

        async def put_back(queue: str, body: bytes) -> None:
            await self._publishing.send(DIRECT, self._names.queue(queue), body)

        with as_unavailable():
            channel = await self._publishing.line.errand()
            return await letters.replay(channel, self._names.dead, letter_ids, put_back)

    async def trouble(self) -> str | None:
        """Ask the broker, on the connection that messages come on, what waits for readers that have room."""
        try:
            waiting = await self._waiting(self._read_here)
        except BusUnavailable as error:
            return str(error)
        now = asyncio.get_running_loop().time()
        starved = [
            each.queue for each in self._consumers if each.flow.is_starved(waiting.get(each.queue, 0), now)
        ]
        return f"nothing arrives from {', '.join(starved)}" if starved else None

    def is_connected(self) -> bool:
        """Tell whether both lines are up."""
        return self._publishing.line.is_up and self._consuming.is_up

    @property
    def _read_here(self) -> list[str]:
        """Return the queues that this process reads."""
        return [each.queue for each in self._consumers]

    async def _waiting(self, queues: Iterable[str], **others: str) -> Mapping[str, int]:
        """Return how many messages wait in work queues, and in other queues of the broker."""
        with as_unavailable():
            names = {queue: self._names.queue(queue) for queue in queues} | others
            return await waiting_in(await self._consuming.errand(), names)

    async def _measure(self) -> None:
        """Bring up to date what is told of the broker; a gateway, which reads no queue, tells of all of them."""
        self._metrics.broker.set(self.is_connected())
        queues = self._read_here or list(WORK)
        for queue in (*queues, "dead"):
            self._metrics.waiting.forget(queue)
        with suppress(BusUnavailable):
            for queue, count in (await self._waiting(queues, dead=self._names.dead)).items():
                self._metrics.waiting.set(count, queue)

    async def _prepare_consuming(self, line: Line) -> None:
        channel = await line.errand()
        await prepare(channel, self._names)
        await channel.close()
        for consumer in self._consumers:
            await self._place(consumer)
        for listener in self._listeners:
            await self._attach(listener)

    async def _now_if_up(self, put_in_place: Callable[[_T], Awaitable[None]], what: _T) -> None:
        """Put something in place on the present connection; without one, or if it is lost, the next one does it."""
        if not self._consuming.is_up:
            return
        try:
            with as_unavailable():
                await put_in_place(what)
        except BusUnavailable:
            self._consuming.lose()

    async def _place(self, consumer: _Consumer) -> None:
        is_held = self._consuming.presence()
        channel = await self._consuming.channel(prefetch=consumer.flow.room)
        consumer.on_broker = await channel.get_queue(self._names.queue(consumer.queue), ensure=False)

        async def hand_out(message: AbstractIncomingMessage) -> None:
            delivery = RabbitDelivery(message, self._survived, is_held)
            if consumer.stopped:
                # It was on its way when the consumer was cancelled.
                await delivery.release()
                return
            # In a task of its own: the callback's is cancelled with the channel, in the middle of a transaction.
            # Out here the handler comes to its end; only its acknowledgement fails, and the message comes again.
            task = asyncio.create_task(hand_over(consumer.receive, delivery))
            consumer.flow.received += 1
            consumer.flow.in_hand += 1
            self._in_hand.add(task)
            task.add_done_callback(partial(self._settled, consumer.flow))

        consumer.tag = await consumer.on_broker.consume(hand_out)
        if consumer.stopped:
            await self._displace(consumer)

    def _settled(self, flow: Flow, task: asyncio.Task[None]) -> None:
        flow.in_hand -= 1
        self._in_hand.discard(task)

    async def _displace(self, consumer: _Consumer) -> None:
        if consumer.on_broker is None:
            return
        try:
            with as_unavailable():
                await consumer.on_broker.cancel(consumer.tag, timeout=PUBLISH_SECONDS)
        except BusUnavailable as error:
            log.info("consumer not cancelled", queue=consumer.queue, reason=str(error))

    async def _attach(self, listener: _Listener) -> None:
        channel = await self._consuming.channel()
        # A name for this connection alone: while the broker has not noticed that the last one is gone, it keeps that one's
        # queue locked (405, half a minute with 3.10.8), and the whole line could not come up.
        name = self._names.results_queue(listener.gateway, uuid.uuid4().hex[:8])
        queue = await channel.declare_queue(name, exclusive=True, auto_delete=True)
        for key in (listener.gateway, ALL_GATEWAYS):
            await queue.bind(self._names.results, key)

        async def take(message: AbstractIncomingMessage) -> None:
            try:
                events = wire.decode(message.body).events
            except wire.WireError as error:
                log.warning("result not understood", reason=str(error))
                return
            for event in events:
                listener.receive(event)

        await queue.consume(take, no_ack=True)
