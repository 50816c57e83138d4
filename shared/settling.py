"""How the handling of an event ended, and what follows from it: done, tried again later, or buried with a reason.

the handler returned                        done
Refusal                                     done: an answer, not a failure
Retry, Conflict, StoreUnavailable,
BusUnavailable, a handler over its deadline tried again later, up to a limit, then buried
anything else, or not understood            buried
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Protocol

import structlog

from shared import lines, wire
from shared.bus.base import Bus, BusUnavailable, Delivery
from shared.bus.traced import link_of
from shared.domain.errors import Refusal
from shared.health import Health
from shared.messages import Event
from shared.metrics import Metrics
from shared.storage.base import Conflict, StoreUnavailable
from shared.traces import Span, Traces
from shared.wire import Batch

MOST_ATTEMPTS = 8
_WAITS = (0.1, 0.5, 1, 2, 5)

log = structlog.get_logger(__name__)


class Retry(Exception):
    """Not now: something this event builds on is not there yet."""


class Workplace(Protocol):
    """What the worker itself needs of a service's context."""

    @property
    def bus(self) -> Bus:
        """Return the bus."""
        ...

    @property
    def health(self) -> Health:
        """Return where the worker says how it is."""
        ...

    @property
    def metrics(self) -> Metrics:
        """Return where it counts what it does."""
        ...

    @property
    def traces(self) -> Traces:
        """Return where it tells what it did."""
        ...


_AWAY = (StoreUnavailable, BusUnavailable)
_LATER = (Retry, Conflict, TimeoutError, *_AWAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How the handling of one event ended."""

    event: Event
    error: Exception | None
    seconds: float
    shared: bool = False
    """Whether it failed together with events of other messages."""

    @property
    def is_own_fault(self) -> bool:
        """Tell whether one of the events may be at fault, and not what all of them need."""
        return self.error is not None and not isinstance(self.error, _AWAY)

    def outcome(self, attempt: int) -> str:
        """Return `done`, `refused`, `later` or `buried`."""
        if self.error is None:
            return "done"
        if isinstance(self.error, Refusal):
            return "refused"
        return "later" if isinstance(self.error, _LATER) and attempt < MOST_ATTEMPTS else "buried"


class Settler:
    """Settles what came from one queue."""

    def __init__(self, queue: str, workplace: Workplace, *, stop: asyncio.Event) -> None:
        self._queue = queue
        self._bus = workplace.bus
        self._metrics = workplace.metrics
        self._traces = workplace.traces
        self._stop = stop

    async def settle(self, result: Result, attempt: int, *, is_held: bool) -> None:
        """Log how an event ended, and hand over what follows from it.

        Args:
            result: how it ended.
            attempt: which one it was.
            is_held: whether its message is still in our hands. One that was lost comes again; tried later or buried as well, there
                would be two of it, then four.
        """
        event, error, outcome = result.event, result.error, result.outcome(attempt)
        self._metrics.events.observe(result.seconds, event.kind, outcome)
        if self._traces.is_on:
            self._traces.tell(_span(result, outcome))
        if outcome == "done" and attempt == 1:
            # What nearly every line says.
            lines.info(
                (__name__, "event handled", (("kind", event.kind), ("outcome", outcome), ("attempt", 1))),
                correlation_id=event.correlation_id,
                duration_ms=round(result.seconds * 1000, 2),
            )
            return
        log.info(
            "event handled",
            kind=event.kind,
            outcome=outcome,
            attempt=attempt,
            correlation_id=event.correlation_id,
            duration_ms=round(result.seconds * 1000, 2),
            **({"reason": f"{type(error).__name__}: {error}"} if outcome in {"refused", "later"} else {}),
        )
        if not is_held:
            return
        if outcome == "later":
            await self._confirmed(partial(self._bus.retry, self._queue, event, attempt=attempt + 1))
        elif outcome == "buried" and error is not None:
            # The message of an unforeseen error could quote anything; its place in the code cannot.
            reason = f"{type(error).__name__} in attempt {attempt}{_place(error)}"
            await self.bury(wire.encode([event], attempt=attempt), reason, error)

    async def take_apart(self, delivery: Delivery, batch: Batch) -> None:
        """Try each event of what takes its readers down once more, alone: one of many is at fault, or none; then bury it."""
        had_its_chance = len(batch.events) == 1 and batch.attempt > 1
        if had_its_chance or batch.attempt >= MOST_ATTEMPTS:
            await self.bury(delivery.body, f"took its reader down {delivery.redeliveries} times")
            return
        for event in batch.events:
            await self._confirmed(partial(self._bus.retry, self._queue, event, attempt=batch.attempt + 1))

    async def bury(self, body: bytes, reason: str, error: Exception | None = None) -> None:
        """Put a message among the dead letters."""
        log.error("message buried", queue=self._queue, reason=reason, exc_info=error)
        self._metrics.buried.add(self._queue)
        await self._confirmed(partial(self._bus.bury, self._queue, body, reason=reason))

    async def _confirmed(self, hand_over: Callable[[], Awaitable[None]]) -> None:
        """Hand over what follows from a message, again and again until the broker confirms it.

        Raises:
            BusUnavailable: the worker is to end, and the broker is still away.
        """
        for wait in chain(_WAITS, repeat(_WAITS[-1])):
            try:
                await hand_over()
            except BusUnavailable as error:
                if self._stop.is_set():
                    raise
                log.warning(
                    "message kept, broker away", queue=self._queue, reason=str(error), again_in_s=wait
                )
            else:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stop.wait()


def _span(result: Result, outcome: str) -> Span:
    return Span(
        name=f"handle {result.event.kind}",
        side="consumer",
        seconds=result.seconds,
        outcome=outcome,
        correlation_id=result.event.correlation_id,
        link_id=link_of(result.event),
        failed=outcome in {"later", "buried"},
    )


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
