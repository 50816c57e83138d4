"""The port of the bus: what services may ask of it, and what they may rely on.

Promises, alike for every adapter:

- `publish` returns only when the broker has taken responsibility for the message; it raises `BusUnavailable` otherwise.
  After that error the message may still arrive: "unknown" is the honest word, and readers are idempotent.
- A delivery that was neither acknowledged nor released when its reader ends, fails or dies is delivered again, and that is counted.
- A message that is retried or buried is handed over before the original is acknowledged, so that nothing is ever dropped.
- A message that nobody waits for any more (`LIFETIMES`) is forgotten unread; every other one waits as long as it takes.
- Results are best effort: who misses one reads the row.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.messages import (
    AccountRecheckRequested,
    Event,
    SessionRequested,
    TokenRefreshRequested,
    UpgradeRequested,
)

ALL_GATEWAYS = "all"
"""Routing key of results that every gateway has to see."""

RETRY_DELAYS: tuple[float, ...] = (1, 5, 30, 120)
"""Seconds before the second, third, ... attempt; the last one repeats. Each is one queue at the broker."""

LIFETIMES: Mapping[type[Event], float] = {
    TokenRefreshRequested: 30,
    SessionRequested: 60,
    UpgradeRequested: 60,
    AccountRecheckRequested: 900,
}
"""Kind -> seconds a published message is worth, by the broker's clock alone. A gateway waits a few seconds for a refresh, then Sonos asks again with a new
one: after an outage the workers would only work off what nobody waits for, and let those wait who do. Whether a person is still
there is asked again with the next refresh."""


def delay_before(attempt: int, delays: Sequence[float] = RETRY_DELAYS) -> float:
    """Return how many seconds an event waits before its *attempt*-th try, 2 being the first that waits."""
    return delays[min(attempt - 2, len(delays) - 1)]


class BusUnavailable(Exception):
    """The broker did not confirm; the message may or may not have been taken."""


class Delivery(Protocol):
    """One broker message in a reader's hands."""

    @property
    def body(self) -> bytes:
        """Return the message as it came."""
        ...

    @property
    def redeliveries(self) -> int:
        """Return how often a reader died with this message, as far as the broker counts it."""
        ...

    @property
    def is_held(self) -> bool:
        """Tell whether it is still in these hands; else it comes again, to them or to others."""
        ...

    async def ack(self) -> None:
        """Say that everything that follows from this message is durable; if that cannot be said, it comes again."""
        ...

    async def release(self) -> None:
        """Hand the message back, to whoever reads this queue."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that no handler could finish, and why."""

    letter_id: str
    """Names this letter; a message that is buried again is another one."""
    queue: str
    reason: str
    body: bytes
    buried_at: int | None
    """Seconds since the epoch by the clock of the process that buried it; None if that did not say."""


Now = Callable[[], int]
"""Returns seconds since the epoch."""
Receive = Callable[[Delivery], Awaitable[None]]
ReceiveResult = Callable[[Event], None]


class Bus(Protocol):
    """Publish, receive, retry, bury."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Send events of one kind as one message to the work queue of that kind.

        Raises:
            BusUnavailable: not confirmed in time, or no queue took it.
        """
        ...

    async def answer(self, gateway: str, *events: Event) -> None:
        """Send results of one kind to one gateway, or to `ALL_GATEWAYS`; nobody listening is not an error.

        Raises:
            BusUnavailable: not confirmed in time.
        """
        ...

    async def consume(self, queue: str, receive: Receive, *, prefetch: int) -> None:
        """Start giving the messages of a work queue to *receive*, at most *prefetch* unfinished at a time."""
        ...

    async def stop_consuming(self) -> None:
        """Take no new messages; those in readers' hands stay theirs."""
        ...

    async def listen(self, gateway: str, receive: ReceiveResult) -> None:
        """Start giving the results for this gateway, and for all, to *receive*."""
        ...

    async def retry(self, queue: str, event: Event, *, attempt: int) -> None:
        """Send one event to a work queue again, as its *attempt*-th try, after the delay for that attempt.

        Raises:
            BusUnavailable: not confirmed in time.
        """
        ...

    async def bury(self, queue: str, body: bytes, *, reason: str) -> None:
        """Put a message that came from *queue* into the dead letters.

        Raises:
            BusUnavailable: not confirmed in time.
        """
        ...

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Return the oldest dead letters; they stay where they are."""
        ...

    async def replay(self, letter_ids: Collection[str]) -> int:
        """Put dead letters back into the work queues they came from, each as its first attempt; return how many were there.

        Each leaves the dead letters when the broker has taken responsibility for it in its queue: who is interrupted in between
        finds it in both, and its handler is idempotent.

        Raises:
            BusUnavailable: not confirmed in time, or there is no such queue; the letter at hand, and those behind it, stay.
        """
        ...

    async def trouble(self) -> str | None:
        """Return what keeps messages from this process's readers, or None if they arrive."""
        ...

    def is_connected(self) -> bool:
        """Tell whether a publish now has a chance."""
        ...
