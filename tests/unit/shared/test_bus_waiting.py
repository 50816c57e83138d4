"""Waiting for a bus ends when it is there, when it is time, or when the process is to stop."""

import asyncio

from shared.bus.rabbit import open_rabbit
from shared.bus.waiting import connected

NOBODY = "amqp://127.0.0.1:1"


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
