"""The bus inside one process: the same bytes, delays and dead letters as at a broker, gone with the process."""

import asyncio
import uuid
from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from types import TracebackType
from typing import Self

import structlog

from shared import wire
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
from shared.messages import QUEUES, Event
from shared.metrics import Metrics

LONGEST_QUEUE = 10_000
"""Messages; beyond that publishing is refused, so that a worker that stands still does not eat the machine."""
MOST_DEAD_LETTERS = 1_000

log = structlog.get_logger(__name__)


class MemoryBus:
    """Queues of bytes, and a task per reader."""

    def __init__(
        self,
        *,
        delays: Sequence[float] = RETRY_DELAYS,
        lifetimes: Mapping[type[Event], float] = LIFETIMES,
        now: Now | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._metrics.sources.append(self._measure)
        self._delays = delays
        self._lifetimes = lifetimes
        self._now = now
        self._queues: defaultdict[str, _Queue] = defaultdict(_Queue)
        self._readers: list[asyncio.Task[None]] = []
        self._listeners: dict[str, ReceiveResult] = {}
        self._in_hand: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._dead: deque[DeadLetter] = deque(maxlen=MOST_DEAD_LETTERS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_consuming()
        for timer in self._timers:
            timer.cancel()
        in_hand = list(self._in_hand)
        for task in in_hand:
            task.cancel()
        await asyncio.gather(*in_hand, return_exceptions=True)

    async def publish(self, events: Sequence[Event]) -> None:
        """Put events of one kind as one message into the queue of that kind."""
        kind = type(events[0])
        self._queues[QUEUES[kind]].put(wire.encode(events), lifetime=self._lifetimes.get(kind, inf))

    async def answer(self, gateway: str, *events: Event) -> None:
        """Hand results to one gateway or to all, decoded from bytes like everything else."""
        body = wire.encode(events)
        for name, receive in self._listeners.items():
            for event in wire.decode(body).events if gateway in {name, ALL_GATEWAYS} else ():
                # Later, so that what a listener does, or fails in, is not the publisher's.
                asyncio.get_running_loop().call_soon(receive, event)

    async def consume(self, queue: str, receive: Receive, *, prefetch: int) -> None:
        """Start a reader."""
        self._readers.append(asyncio.create_task(self._read(self._queues[queue], receive, prefetch)))

    async def stop_consuming(self) -> None:
        """Stop all readers; what they hand out already stays with its receivers."""
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._readers.clear()

    async def listen(self, gateway: str, receive: ReceiveResult) -> None:
        """Start giving results to *receive*."""
        self._listeners[gateway] = receive

    async def retry(self, queue: str, event: Event, *, attempt: int) -> None:
        """Put one event back after the delay for its attempt."""
        body = wire.encode([event], attempt=attempt)
        delay = delay_before(attempt, self._delays)
        timer: asyncio.TimerHandle

        def due() -> None:
            self._timers.discard(timer)
            self._queues[queue].put_back(_Message(body))

        timer = asyncio.get_running_loop().call_later(delay, due)
        self._timers.add(timer)

    async def bury(self, queue: str, body: bytes, *, reason: str) -> None:
        """Keep a message among the dead letters; the oldest make room, and are told."""
        if len(self._dead) == MOST_DEAD_LETTERS:
            log.error("dead letter dropped, too many", queue=self._dead[0].queue, reason=self._dead[0].reason)
        self._dead.append(
            DeadLetter(
                letter_id=uuid.uuid4().hex,
                queue=queue,
                reason=reason,
                body=body,
                buried_at=self._now() if self._now else None,
            )
        )

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters."""
        return list(self._dead)[:limit]

    async def replay(self, letter_ids: Collection[str]) -> int:
        """Put dead letters back into their queues."""
        chosen = [letter for letter in self._dead if letter.letter_id in letter_ids]
        for letter in chosen:
            self._queues[letter.queue].put(wire.as_first_attempt(letter.body))
            self._dead.remove(letter)
        return len(chosen)

    async def trouble(self) -> str | None:
        """Return whether a reader has ended, which none does by itself."""
        return "a reader has ended" if any(reader.done() for reader in self._readers) else None

    def is_connected(self) -> bool:
        """Return True: there is nothing to be disconnected from."""
        return True

    async def _measure(self) -> None:
        self._metrics.broker.set(1)
        self._metrics.waiting.set(len(self._dead), "dead")
        for name, queue in self._queues.items():
            self._metrics.waiting.set(queue.waiting, name)

    async def _read(self, queue: "_Queue", receive: Receive, prefetch: int) -> None:
        slots = asyncio.Semaphore(prefetch)
        while True:
            await slots.acquire()
            delivery = MemoryDelivery(queue, await queue.take(), slots)
            task = asyncio.create_task(_run(receive, delivery))
            self._in_hand.add(task)
            task.add_done_callback(self._in_hand.discard)


@dataclass(frozen=True, slots=True)
class _Message:
    body: bytes
    redeliveries: int = 0
    expires_at: float = inf
    """By the loop's clock."""


class MemoryDelivery:
    """A message in a reader's hands; one that is dropped unfinished goes back to its queue."""

    def __init__(self, queue: "_Queue", message: _Message, slots: asyncio.Semaphore) -> None:
        self.body = message.body
        self.redeliveries = message.redeliveries
        #: Nothing is lost between this bus and its readers.
        self.is_held = True
        self._message = message
        self._queue = queue
        self._slots = slots
        self._settled = False

    async def ack(self) -> None:
        """Forget the message."""
        self._settle()

    async def release(self) -> None:
        """Put the message back unstarted."""
        if not self._settled:
            self._settle()
            self._queue.put_back(self._message)

    def abandon(self) -> None:
        """Put back what its reader died with."""
        if not self._settled:
            self._settle()
            self._queue.put_back(replace(self._message, redeliveries=self.redeliveries + 1))

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self._slots.release()


class _Queue:
    """Messages with how often a reader died with them; unbounded for what comes back, bounded for what is new."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[_Message] = asyncio.Queue()

    def put(self, body: bytes, *, lifetime: float = inf) -> None:
        if self._messages.qsize() >= LONGEST_QUEUE:
            raise BusUnavailable("too many messages are waiting")
        self.put_back(_Message(body, expires_at=asyncio.get_running_loop().time() + lifetime))

    def put_back(self, message: _Message) -> None:
        self._messages.put_nowait(message)

    @property
    def waiting(self) -> int:
        """Return how many messages nobody has in hand."""
        return self._messages.qsize()

    async def take(self) -> _Message:
        while True:
            message = await self._messages.get()
            if asyncio.get_running_loop().time() < message.expires_at:
                return message


async def _run(receive: Receive, delivery: MemoryDelivery) -> None:
    try:
        await receive(delivery)
    except Exception:
        log.exception("reader failed")
    finally:
        delivery.abandon()
