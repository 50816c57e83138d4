"""Runs a service's table of handlers: every event ends acknowledged, retried, or in the dead letters with a reason.

    the handler returns                         done
    Refusal                                     done: an answer, not a failure
    Conflict                                    tried again at once, a few times, then like the next
    Retry, StoreUnavailable, BusUnavailable,
    a handler over its deadline                 tried again later, up to a limit, then buried
    anything else, or not understood            buried

An event that fails goes on alone, with its own attempt count, and the rest of its message is done. The message is acknowledged
when all that follows from it is confirmed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import structlog

from shared import wire
from shared.bus.base import Bus, BusUnavailable, Delivery
from shared.domain.errors import Refusal
from shared.messages import QUEUES, Event
from shared.storage.base import Conflict, StoreUnavailable
from shared.wire import Batch, WireError

MOST_ATTEMPTS = 8
MOST_REDELIVERIES = 10
"""How often a message may take its reader down with it; RabbitMQ 4 would drop it at 20."""
CONFLICTS_IN_PLACE = 5
DEADLINE_SECONDS = 20.0
"""Far below RabbitMQ's consumer timeout of 30 minutes, which would take the channel away."""
DRAIN_SECONDS = 10.0
_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Retry(Exception):
    """Not now: something this event builds on is not there yet."""


class HasBus(Protocol):
    """What the worker itself needs of a service's context."""

    @property
    def bus(self) -> Bus:
        """Return the bus."""
        ...


ContextT = TypeVar("ContextT", bound=HasBus)


@dataclass(frozen=True, slots=True)
class Batched(Generic[ContextT]):
    """A handler that takes all events of a message at once; when it fails, it is asked again for each alone."""

    handle: Callable[[Sequence[Any], ContextT], Awaitable[None]]


Handler: TypeAlias = Callable[[Any, ContextT], Awaitable[None]] | Batched[ContextT]
HandlerTable: TypeAlias = Mapping[type[Event], Handler[ContextT]]

_LATER = (Retry, Conflict, StoreUnavailable, BusUnavailable, TimeoutError)


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
        prefetch: messages in hand at a time, per queue.
        deadline: seconds a handler may take.
        drain: seconds that started handlers get to finish; what is not finished then comes again elsewhere.
    """
    worker = _Worker(handlers, context, deadline)
    for queue in sorted({QUEUES[kind] for kind in handlers}):
        await context.bus.consume(queue, worker.receiver(queue), prefetch=prefetch)
    log.info("worker started", queues=sorted({QUEUES[kind] for kind in handlers}))
    await stop.wait()
    await context.bus.stop_consuming()
    await worker.finish(drain)
    log.info("worker stopped")


class _Worker(Generic[ContextT]):
    def __init__(self, handlers: HandlerTable[ContextT], context: ContextT, deadline: float) -> None:
        self._handlers = handlers
        self._context = context
        self._deadline = deadline
        self._started: set[asyncio.Task[None]] = set()

    def receiver(self, queue: str) -> Callable[[Delivery], Awaitable[None]]:
        """Return what handles the messages of one queue."""

        async def receive(delivery: Delivery) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._started.add(task)
            try:
                await self._receive(queue, delivery)
            finally:
                self._started.discard(task)

        return receive

    async def finish(self, seconds: float) -> None:
        """Wait for the handlers that were started, but not for ever."""
        if self._started:
            _, late = await asyncio.wait(self._started, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _receive(self, queue: str, delivery: Delivery) -> None:
        try:
            await self._handle(queue, delivery)
        except Exception as error:
            # What follows from this message could not be handed over, so the message stays: it comes again.
            log.warning(
                "message kept",
                queue=queue,
                reason=type(error).__name__,
                exc_info=not isinstance(error, BusUnavailable),
            )
            await asyncio.sleep(_PAUSE_SECONDS)
            await delivery.release()
        else:
            await delivery.ack()

    async def _handle(self, queue: str, delivery: Delivery) -> None:
        bus = self._context.bus
        if delivery.redeliveries > MOST_REDELIVERIES:
            await bus.bury(queue, delivery.body, reason=f"took its reader down {delivery.redeliveries} times")
            return
        try:
            batch = wire.decode(delivery.body)
            handler = self._handlers[type(batch.events[0])]
        except (WireError, KeyError) as puzzle:
            reason = str(puzzle) if isinstance(puzzle, WireError) else "no handler for this kind"
            log.error("message buried", queue=queue, reason=reason)  # noqa: TRY400 - there is no traceback worth having
            await bus.bury(queue, delivery.body, reason=reason)
            return
        for event, error in await self._run(handler, batch):
            await self._settle(queue, event, batch.attempt, error)

    async def _run(self, handler: Handler[ContextT], batch: Batch) -> list[tuple[Event, Exception]]:
        """Run a handler for all events of a message and return those that failed, with why."""
        if isinstance(handler, Batched):
            if len(batch.events) > 1 and await self._try(handler.handle, batch.events, batch) is None:
                return []
            return await self._each(lambda event, context: handler.handle([event], context), batch)
        return await self._each(handler, batch)

    async def _each(
        self, handle: Callable[[Event, ContextT], Awaitable[None]], batch: Batch
    ) -> list[tuple[Event, Exception]]:
        results = await asyncio.gather(*(self._try(handle, event, batch) for event in batch.events))
        return [(event, error) for event, error in zip(batch.events, results, strict=True) if error]

    async def _try(
        self, handle: Callable[[Any, ContextT], Awaitable[None]], argument: Any, batch: Batch
    ) -> Exception | None:
        started = time.monotonic()
        error = await self._with_conflicts(handle, argument)
        outcome = _outcome(error)
        log.info(
            "event handled",
            kind=batch.kind,
            outcome=outcome,
            attempt=batch.attempt,
            correlation_id=getattr(argument, "correlation_id", ""),
            duration_ms=round((time.monotonic() - started) * 1000, 2),
            **({"reason": str(error)} if outcome in {"refused", "later"} else {}),
        )
        return None if outcome in {"done", "refused"} else error

    async def _with_conflicts(
        self, handle: Callable[[Any, ContextT], Awaitable[None]], argument: Any
    ) -> Exception | None:
        """Run a handler, again at once when somebody else changed the row first, and return how it ended."""
        error: Exception | None = None
        for _ in range(CONFLICTS_IN_PLACE):
            try:
                async with asyncio.timeout(self._deadline):
                    await handle(argument, self._context)
            except Conflict as conflict:
                error = conflict
            except Exception as failure:  # noqa: BLE001 - whatever it is, the message has to end somewhere
                return failure
            else:
                return None
        return error

    async def _settle(self, queue: str, event: Event, attempt: int, error: Exception) -> None:
        bus = self._context.bus
        if isinstance(error, _LATER) and attempt < MOST_ATTEMPTS:
            await bus.retry(queue, event, attempt=attempt + 1)
            return
        # The message of an unforeseen error could quote anything; its place in the code cannot.
        reason = f"{type(error).__name__} in attempt {attempt}{_place(error)}"
        log.error("event buried", kind=event.kind, queue=queue, reason=reason, exc_info=error)
        await bus.bury(queue, wire.encode([event], attempt=attempt), reason=reason)


def _outcome(error: Exception | None) -> str:
    if error is None:
        return "done"
    if isinstance(error, Refusal):
        return "refused"
    return "later" if isinstance(error, _LATER) else "failed"


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
