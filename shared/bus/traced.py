"""The bus with its messages told of to traces: what was handed over, and how long it took to be confirmed."""

import time
from collections.abc import Awaitable, Sequence
from typing import cast

from shared.bus.base import Bus
from shared.messages import Event
from shared.traces import Span, Traces


class TracedBus:
    """Tells of what is handed over; all else is the bus's behind it."""

    def __init__(self, bus: Bus, traces: Traces) -> None:
        self._bus = bus
        self._traces = traces

    def __getattr__(self, name: str) -> object:
        return getattr(self._bus, name)

    async def publish(self, events: Sequence[Event]) -> None:
        """Publish."""
        await self._told("publish", events, self._bus.publish(events))

    async def answer(self, gateway: str, *events: Event) -> None:
        """Answer."""
        await self._told("answer", events, self._bus.answer(gateway, *events))

    async def _told(self, act: str, events: Sequence[Event], handed_over: Awaitable[None]) -> None:
        started, outcome = time.monotonic(), "unconfirmed"
        try:
            await handed_over
            outcome = "ok"
        finally:
            seconds = time.monotonic() - started
            for event in events:
                link_id = link_of(event)
                if link_id:
                    self._traces.concerns(event.correlation_id, link_id)
                span = Span(
                    name=f"{act} {event.kind}",
                    side="producer",
                    seconds=seconds,
                    outcome=outcome,
                    correlation_id=event.correlation_id,
                    link_id=link_id,
                    failed=outcome != "ok",
                )
                self._traces.tell(span)


def traced(bus: Bus, traces: Traces) -> Bus:
    """Return the bus, with its messages told of if anybody wants to know."""
    return cast("Bus", TracedBus(bus, traces)) if traces.is_on else bus


def link_of(event: Event) -> str:
    """Return the id of the link that an event is about; empty if it is about none."""
    return str(getattr(event, "link_id", ""))
