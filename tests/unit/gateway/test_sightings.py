"""What is in use is told once, with a bounded memory and a bounded number of messages under way."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway import sightings
from gateway.sightings import Sightings
from shared.bus.memory import MemoryBus
from shared.messages import Event, SessionUsed


class SlowBus(MemoryBus):
    """A bus that takes what it is given once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Event] = []
        self.may_take = asyncio.Event()

    async def publish(self, events: Sequence[Event]) -> None:
        await self.may_take.wait()
        self.sent += events


def used(number: int) -> SessionUsed:
    return SessionUsed(service="default", session_hash=f"session-{number}")


def told(bus: SlowBus) -> list[str]:
    return [event.session_hash for event in bus.sent if isinstance(event, SessionUsed)]


async def test_no_more_messages_are_under_way_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while all are is not sent, nor taken for told: the next call tells it."""
    monkeypatch.setattr(sightings, "AT_A_TIME", 2)
    seen, bus = Sightings(), SlowBus()
    for number in (1, 2, 3):
        seen.tell(used(number), number, bus)
    bus.may_take.set()
    await seen.drain()
    at_first = told(bus)
    seen.tell(used(3), 3, bus)
    await seen.drain()

    assert ["session-1", "session-2"] == at_first
    assert [*at_first, "session-3"] == told(bus)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest sight makes room, and is told again if it comes back; one that is remembered is not."""
    monkeypatch.setattr(sightings, "REMEMBERED", 2)
    seen, bus = Sightings(), SlowBus()
    bus.may_take.set()
    for number in (1, 2, 3, 3, 2, 1):
        seen.tell(used(number), number, bus)
    await seen.drain()

    assert [f"session-{number}" for number in (1, 2, 3, 1)] == told(bus)
