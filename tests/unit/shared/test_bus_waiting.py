"""Waiting for a bus ends when it is there, when it is time, or when the process is to stop."""

import asyncio
import selectors
from itertools import pairwise

import pytest

from shared.bus.memory import MemoryBus
from shared.bus.rabbit import open_rabbit
from shared.bus.waiting import _LOOK_SECONDS, connected

NOBODY = "amqp://127.0.0.1:1"


class Hasty(asyncio.SelectorEventLoop):
    """Waits for nothing: its clock stands still, and goes on to the next timer when nothing else is left to do."""

    class _Selector(selectors.DefaultSelector):
        now = 0.0

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            events = super().select(0 if timeout else timeout)
            if not events:
                self.now += timeout or 0
            return events

    def __init__(self) -> None:
        self._clock = self._Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the seconds that were not waited for."""
        return self._clock.now


class Late(MemoryBus):
    """A bus that is not there at once, and knows when it was looked for."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks: list[float] = []
        self._enough = looks

    def is_connected(self) -> bool:
        """Tell whether it was looked for often enough."""
        self.looks.append(asyncio.get_running_loop().time())
        return len(self.looks) > self._enough


async def test_waits_no_longer_than_it_may() -> None:
    """A bus that does not come is said not to be there."""
    async with open_rabbit(NOBODY) as bus:
        assert not await connected(bus, seconds=0)


async def test_does_not_wait_once_the_process_is_to_stop() -> None:
    """Who is told to stop need not wait until the time is over."""
    stop = asyncio.Event()
    stop.set()
    async with open_rabbit(NOBODY) as bus, asyncio.timeout(30):
        assert not await connected(bus, seconds=3600, stop=stop)


def test_looks_again_soon() -> None:
    """A bus that has come is not left waiting for long."""

    async def look() -> list[float]:
        async with Late(looks=5) as bus:
            assert await connected(bus, seconds=3600)
            return bus.looks

    with asyncio.Runner(loop_factory=Hasty) as runner:
        looks = runner.run(look())

    # The last two are one: the answer is that of a look of its own.
    assert [_LOOK_SECONDS] * 5 + [0] == [pytest.approx(later - look) for look, later in pairwise(looks)]
