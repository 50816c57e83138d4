"""Runs a service's table of handlers: every event ends acknowledged, retried, or in the dead letters with a reason (`settling`).

An event that fails goes on alone, with its own attempt count, and the rest of its message is done. The message is acknowledged
when all that follows from it is confirmed, and stays in hand until then: handing it back would make RabbitMQ before 4.3 count
a broker that takes nothing (one short of memory still delivers) as a fault of the message.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Generic, TypeAlias, TypeVar

import structlog

from shared import wire
from shared.bus.base import BusUnavailable, Delivery
from shared.bus.traced import link_of
from shared.health import remembered
from shared.merging import Merging, Shared
from shared.messages import QUEUES, Event
from shared.settling import Result, Settler, Workplace
from shared.storage.base import Conflict
from shared.traces import CAUSE
from shared.wire import Batch, WireError

MOST_REDELIVERIES = 10
"""How often a message may take its reader down with it; RabbitMQ 4 would drop it at 20."""
CONFLICTS_IN_PLACE = 5
DEADLINE_SECONDS = 20.0
"""Far below RabbitMQ's consumer timeout of 30 minutes, which would take the channel away."""
HANGS = 2
"""Deadlines after which a handler that does not heed its own is not worth waiting for: the process is."""
DRAIN_SECONDS = 10.0
MERGED = 256
"""Events that are handled at once, of however many messages."""
_FAULT_SECONDS = 1.0

log = structlog.get_logger(__name__)


ContextT = TypeVar("ContextT", bound=Workplace)


@dataclass(frozen=True, slots=True)
class Batched(Generic[ContextT]):
    """A handler that takes all events of a message at once; when it fails, it is asked again for each alone."""

    handle: Callable[[Sequence[Any], ContextT], Awaitable[None]]


Handler: TypeAlias = Callable[[Any, ContextT], Awaitable[None]] | Batched[ContextT]
HandlerTable: TypeAlias = Mapping[type[Event], Handler[ContextT]]


async def run(
    handlers: HandlerTable[ContextT],
    context: ContextT,
    *,
    stop: asyncio.Event,
    prefetch: int = 16,
    deadline: float = DEADLINE_SECONDS,
    drain: float = DRAIN_SECONDS,
) -> None:
    """Handle events until *stop* is set, then finish what was begun.

    Args:
        handlers: kind of event -> function; says which queues are consumed.
        context: given to every handler.
        stop: set by whoever wants the worker to end.
        prefetch: messages in hand, and handlers at work, at a time and per queue.
        deadline: seconds a handler may take.
        drain: seconds that started handlers get to finish; what is not finished then is handed back.
    """
    if stop.is_set():
        # It was told to end while it still waited for its tables.
        log.info("worker stopped")
        return
    readers = [
        _Reader(queue, handlers, context, stop=stop, deadline=deadline, slots=asyncio.Semaphore(prefetch))
        for queue in sorted({QUEUES[kind] for kind in handlers})
    ]
    for reader in readers:
        await context.bus.consume(reader.queue, reader.receive, prefetch=prefetch)
    _watch(readers, context, stop=stop, deadline=deadline)
    log.info("worker started", queues=[reader.queue for reader in readers])
    await stop.wait()
    await context.bus.stop_consuming()
    await _finish({task for reader in readers for task in reader.started}, drain)
    for reader in readers:
        await reader.close()
    log.info("worker stopped")


def _watch(
    readers: "Sequence[_Reader[ContextT]]", context: ContextT, *, stop: asyncio.Event, deadline: float
) -> None:
    """Say when nothing arrives, and when something does not end."""
    receiving = remembered(context.bus.trouble)

    async def messages() -> str | None:
        return "stopping" if stop.is_set() else await receiving()

    context.health.fit["messages"] = messages
    for reader in readers:
        context.health.alive[reader.queue] = partial(reader.hanging, HANGS * deadline)


async def _finish(started: set[asyncio.Task[None]], seconds: float) -> None:
    """Wait for the handlers that were started, but not for ever."""
    if started:
        _, late = await asyncio.wait(started, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


class _Reader(Generic[ContextT]):
    """Handles the messages of one queue."""

    def __init__(
        self,
        queue: str,
        handlers: HandlerTable[ContextT],
        context: ContextT,
        *,
        stop: asyncio.Event,
        deadline: float,
        slots: asyncio.Semaphore,
    ) -> None:
        self.queue = queue
        self.started: set[asyncio.Task[None]] = set()
        self._handlers = handlers
        self._context = context
        self._metrics = context.metrics
        self._metrics.redeliveries.begin(queue)
        self._settler = Settler(queue, context, stop=stop)
        self._deadline = deadline
        # A message may carry hundreds of events: prefetch alone would not bound how many handlers run.
        self._slots = slots
        self._merging: dict[str, Merging[Event]] = {}
        self._at_work: dict[object, float] = {}

    async def receive(self, delivery: Delivery) -> None:
        """Handle one message, and settle it."""
        task = asyncio.current_task()
        assert task is not None
        self.started.add(task)
        try:
            await self._handle(delivery)
            await delivery.ack()
        except BusUnavailable:
            log.warning("message handed back, broker away", queue=self.queue)
            await delivery.release()
        except asyncio.CancelledError:
            log.warning("message handed back, not finished in time", queue=self.queue)
            await delivery.release()
            raise
        except Exception:
            # A fault of our own, not the handler's: the bus logs it, counts it, and gives the message back, but not at once.
            await asyncio.sleep(_FAULT_SECONDS)
            raise
        finally:
            self.started.discard(task)

    async def _handle(self, delivery: Delivery) -> None:
        if delivery.redeliveries:
            self._metrics.redeliveries.add(self.queue)
        try:
            batch = wire.decode(delivery.body)
            handler = self._handlers[type(batch.events[0])]
        except (WireError, KeyError) as puzzle:
            reason = str(puzzle) if isinstance(puzzle, WireError) else "no handler for this kind"
            await self._settler.bury(delivery.body, reason)
            return
        if delivery.redeliveries > MOST_REDELIVERIES:
            await self._settler.take_apart(delivery, batch)
            return
        for result in await self._run(handler, batch):
            await self._settler.settle(result, batch.attempt, is_held=delivery.is_held)

    async def _run(self, handler: Handler[ContextT], batch: Batch) -> list[Result]:
        if not isinstance(handler, Batched):
            return await self._each(handler, batch)
        many = len(batch.events) > 1
        results = await self._try(partial(self._merged(batch.kind, handler), batch.events), batch.events)
        if results[0].shared and many and results[0].is_own_fault:
            results = await self._try(partial(handler.handle, batch.events, self._context), batch.events)
        if not results[0].is_own_fault or not (many or results[0].shared):
            return results
        log.info("batch taken apart", kind=batch.kind, reason=type(results[0].error).__name__)
        return await self._each(lambda event, context: handler.handle([event], context), batch)

    def _merged(self, kind: str, handler: Batched[ContextT]) -> Callable[[Sequence[Event]], Awaitable[None]]:
        """Return what handles a message's events together with those of other messages that are in hand."""
        if kind not in self._merging:
            self._merging[kind] = Merging(
                lambda events: handler.handle(events, self._context), most=MERGED, seconds=self._deadline
            )
        return self._merging[kind].do

    async def hanging(self, seconds: float) -> str | None:
        """Tell of a handler that has been at work for longer than *seconds*."""
        longest = time.monotonic() - min(self._at_work.values(), default=inf)
        return f"a handler has been at work for {longest:.0f} seconds" if longest > seconds else None

    async def close(self) -> None:
        """Cancel what was not finished."""
        for merging in self._merging.values():
            await merging.close()

    async def _each(self, handle: Callable[[Any, ContextT], Awaitable[None]], batch: Batch) -> list[Result]:
        tries = (self._try(partial(handle, event, self._context), [event]) for event in batch.events)
        return [result for results in await asyncio.gather(*tries) for result in results]

    async def _try(self, handle: Callable[[], Awaitable[None]], events: Sequence[Event]) -> list[Result]:
        error: Exception | None = None
        async with self._slots:
            started, attempt = time.monotonic(), object()
            if len(events) == 1:
                CAUSE.set((events[0].correlation_id, link_of(events[0])))
            self._at_work[attempt] = started
            try:
                async with asyncio.timeout(self._deadline):
                    await _again_on_conflict(handle)
            except Exception as failure:  # noqa: BLE001 - whatever it is, the message has to end somewhere
                error = failure
            finally:
                del self._at_work[attempt]
            seconds = time.monotonic() - started
        shared = isinstance(error, Shared)
        error = error.cause if isinstance(error, Shared) else error
        return [Result(event=event, error=error, seconds=seconds, shared=shared) for event in events]


async def _again_on_conflict(handle: Callable[[], Awaitable[None]]) -> None:
    """Run a handler, again at once when somebody else changed the row first."""
    for _ in range(CONFLICTS_IN_PLACE - 1):
        with suppress(Conflict):
            return await handle()
    return await handle()
