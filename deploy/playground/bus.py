"""The bus with a window: does what the bus behind it does, tells what passes, and refuses while the broker is broken."""

from collections.abc import Awaitable, Collection, Sequence
from contextvars import ContextVar
from typing import Protocol

from deploy.playground.lanes import Lane
from shared import wire
from shared.bus.base import Bus, BusUnavailable, DeadLetter, Delivery, Receive, ReceiveResult
from shared.messages import Event
from shared.wire import WireError

CAUSE: ContextVar[str] = ContextVar("cause", default="")
"""Correlation id of the event that a worker has in hand: some of what follows from it carries none."""


class Watcher(Protocol):
    """Who looks through the window; never raises."""

    @property
    def is_broken(self) -> bool:
        """Tell whether the broker is broken now."""
        ...

    def passed(
        self, source: Lane, target: Lane, events: Sequence[Event], *, note: str = "", failed: bool = False
    ) -> None:
        """Take note of events on their way."""
        ...

    async def worked(self, worker: Lane, events: Sequence[Event]) -> None:
        """Look at the rows: a worker is done with what it wrote for these events."""
        ...


class WatchedBus:
    """One service's view of the bus."""

    def __init__(self, bus: Bus, lane: Lane, watcher: Watcher) -> None:
        self._bus = bus
        self._lane = lane
        self._watcher = watcher

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish, unless the broker is broken."""
        await self._hand_over(events, lambda: self._bus.publish(events))

    async def answer(self, gateway: str, *events: Event) -> None:
        """Answer, unless the broker is broken."""
        await self._hand_over(events, lambda: self._bus.answer(gateway, *events))

    async def retry(self, queue: str, event: Event, *, attempt: int) -> None:
        """Retry, unless the broker is broken."""
        note = f"to be tried again, attempt {attempt}"
        await self._hand_over([event], lambda: self._bus.retry(queue, event, attempt=attempt), note)

    async def bury(self, queue: str, body: bytes, *, reason: str) -> None:
        """Bury, unless the broker is broken."""
        note = f"dead letter: {reason}"
        await self._hand_over(_events(body), lambda: self._bus.bury(queue, body, reason=reason), note)

    async def consume(self, queue: str, receive: Receive, *, prefetch: int) -> None:
        """Consume, and tell what was taken and when it is done."""

        async def watched(delivery: Delivery) -> None:
            events = _events(delivery.body)
            CAUSE.set(events[0].correlation_id if events else "")
            self._watcher.passed(Lane.BUS, self._lane, events)
            await receive(delivery)
            await self._watcher.worked(self._lane, events)

        await self._bus.consume(queue, watched, prefetch=prefetch)

    async def stop_consuming(self) -> None:
        """Stop."""
        await self._bus.stop_consuming()

    async def listen(self, gateway: str, receive: ReceiveResult) -> None:
        """Listen, and tell what came."""

        def watched(event: Event) -> None:
            self._watcher.passed(Lane.BUS, self._lane, [event])
            receive(event)

        await self._bus.listen(gateway, watched)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the dead letters."""
        return await self._bus.dead_letters(limit)

    async def replay(self, letter_ids: Collection[str]) -> int:
        """Replay."""
        return await self._bus.replay(letter_ids)

    async def trouble(self) -> str | None:
        """Return what keeps messages away."""
        return await self._bus.trouble()

    def is_connected(self) -> bool:
        """Tell whether a publish has a chance."""
        return not self._watcher.is_broken and self._bus.is_connected()

    async def _hand_over(self, events: Sequence[Event], act: "_Act", note: str = "") -> None:
        # A worker has written its rows before it tells of them: this is the order in which they are shown.
        await self._watcher.worked(self._lane, events)
        self._watcher.passed(self._lane, Lane.BUS, events, note=note, failed=self._watcher.is_broken)
        if self._watcher.is_broken:
            raise BusUnavailable("the broker was broken in the playground")
        await act()


class _Act(Protocol):
    def __call__(self) -> Awaitable[None]: ...


def _events(body: bytes) -> tuple[Event, ...]:
    try:
        return wire.decode(body).events
    except WireError:
        return ()
