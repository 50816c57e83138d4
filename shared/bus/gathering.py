"""Gathering: events of a kind that are sent at the same time go as few messages, beside sending each alone.

A confirm takes the broker 0.6 ms, whether it is for one event or for hundreds. What is handed over while confirms are under way goes with
the next message; nobody waits when idle, but for those who hand over in the same turn of the event loop. Everybody waits for the confirm of
the message that their event is in:

- events of one destination leave in the order in which they were handed over;
- an event that cannot be written is its own caller's error, found before it goes aboard;
- a message that is not confirmed is an error for all aboard, and for those who wait behind it: the broker is away for them, too;
- a caller that goes away leaves its event behind, which may be sent: "unknown" is the honest word as ever;
- where too many wait, the next one is refused at once.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from shared.bus.base import BusUnavailable

MOST_EVENTS = 256
"""In one message, so that a worker's transaction stays short."""
MOST_BYTES = 256 * 1024
"""In one message, a quarter of what a reader takes."""
MOST_WAITING = 10_000
"""Events of one destination: a second of what a worker handles."""
AT_A_TIME = 1
"""Messages of one destination under way. With two they are smaller, and cost the broker and the workers more than is won."""

TargetT = TypeVar("TargetT", bound=Hashable)

Send = Callable[[TargetT, Sequence[bytes]], Awaitable[None]]
"""Sends encoded events as one message to a destination; returns when it is confirmed, raises `BusUnavailable` otherwise."""


class _Passenger:
    def __init__(self, events: Sequence[bytes]) -> None:
        self.events = events
        self.bytes = sum(map(len, events))
        self.sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def refuse(self, reason: str) -> None:
        # Done already when the one who asked has gone away.
        if not self.sent.done():
            self.sent.set_exception(BusUnavailable(reason))


class _Line:
    def __init__(self) -> None:
        self.waiting: deque[_Passenger] = deque()
        self.waiting_events = 0
        self.under_way = 0


class Gathering(Generic[TargetT]):
    """Hands events to *send*, gathered by destination."""

    def __init__(self, send: Send[TargetT], *, most: int = MOST_EVENTS, waiting: int = MOST_WAITING) -> None:
        self._send = send
        self._most = most
        self._most_waiting = waiting
        self._lines: defaultdict[TargetT, _Line] = defaultdict(_Line)
        self._flights: set[asyncio.Task[None]] = set()

    async def put(self, target: TargetT, events: Sequence[bytes]) -> None:
        """Send encoded events, together, in whatever company.

        Raises:
            BusUnavailable: not confirmed, or too many are waiting.
        """
        line = self._lines[target]
        if line.waiting_events + len(events) > self._most_waiting:
            raise BusUnavailable("too many events are waiting to be sent")
        passenger = _Passenger(events)
        line.waiting.append(passenger)
        line.waiting_events += len(events)
        if line.under_way < AT_A_TIME:
            self._depart(target, line)
        await passenger.sent

    async def close(self) -> None:
        """End what is under way; who still waits is told that nothing was confirmed."""
        for flight in self._flights:
            flight.cancel()
        await asyncio.gather(*self._flights, return_exceptions=True)

    def _depart(self, target: TargetT, line: _Line) -> None:
        line.under_way += 1
        aboard: list[_Passenger] = []
        flight = asyncio.create_task(self._fly(target, line, aboard))
        self._flights.add(flight)
        flight.add_done_callback(partial(self._land, target, line, aboard))

    async def _fly(self, target: TargetT, line: _Line, aboard: list[_Passenger]) -> None:
        # Only now: whoever came in the same turn of the event loop as the first is there, too.
        self._board(line, aboard)
        if aboard:
            await self._send(target, [event for each in aboard for event in each.events])

    def _board(self, line: _Line, aboard: list[_Passenger]) -> None:
        """Take from the line what goes with the next message; those who have gone away stay behind."""
        events = size = 0
        while line.waiting:
            first = line.waiting[0]
            if aboard and (events + len(first.events) > self._most or size + first.bytes > MOST_BYTES):
                break
            line.waiting_events -= len(first.events)
            line.waiting.popleft()
            if not first.sent.done():
                aboard.append(first)
                events, size = events + len(first.events), size + first.bytes

    def _land(
        self, target: TargetT, line: _Line, aboard: list[_Passenger], flight: "asyncio.Task[None]"
    ) -> None:
        self._flights.discard(flight)
        line.under_way -= 1
        error = asyncio.CancelledError() if flight.cancelled() else flight.exception()
        if error is None:
            for passenger in aboard:
                if not passenger.sent.done():
                    passenger.sent.set_result(None)
        else:
            reason = str(error) if isinstance(error, BusUnavailable) else type(error).__name__
            for passenger in (*aboard, *line.waiting):
                passenger.refuse(reason)
            line.waiting.clear()
            line.waiting_events = 0
        if line.waiting:
            self._depart(target, line)
        elif not line.under_way:
            self._lines.pop(target, None)
