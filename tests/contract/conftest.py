"""The bus in both its forms, with delays short enough to wait for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.bus.base import Bus
from shared.bus.memory import MemoryBus
from shared.bus.rabbit import open_rabbit
from shared.messages import TokenRefreshRequested

DELAYS = (0.05, 0.3)
LIFETIMES = {TokenRefreshRequested: 0.1}
PATIENCE = 30.0


@asynccontextmanager
async def opened(url: str, delays: tuple[float, ...] = DELAYS) -> AsyncIterator[Bus]:
    """Open a bus and wait until it is there."""
    in_memory = url == "memory://"
    async with (
        MemoryBus(delays=delays, lifetimes=LIFETIMES)
        if in_memory
        else open_rabbit(url, delays=delays, lifetimes=LIFETIMES)
    ) as bus:
        await connected(bus)
        yield bus


async def connected(bus: Bus, *, expected: bool = True) -> None:
    """Wait until the bus is connected, or is not."""
    async with asyncio.timeout(PATIENCE):
        while bus.is_connected() is not expected:
            await asyncio.sleep(0.01)


@pytest.fixture(params=["memory", pytest.param("rabbit", marks=pytest.mark.services)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """An empty bus."""
    url = "memory://" if request.param == "memory" else request.getfixturevalue("rabbit_url")
    async with opened(url) as opened_bus:
        yield opened_bus
