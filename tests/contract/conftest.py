"""The bus in both its forms, with delays short enough to wait for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from auth_worker.context import AuthContext
from deploy.playground.bus import WatchedBus
from deploy.playground.lanes import Lane
from shared import keys
from shared.bus.base import Bus
from shared.bus.memory import MemoryBus
from shared.bus.rabbit import open_rabbit
from shared.context import SystemClock, SystemRandom
from shared.messages import TokenRefreshRequested
from shared.settings import load
from shared.tokens import TokenVerifier
from tests.play.onlooker import Onlooker
from tests.store_samples import Stores, open_stores

DELAYS = (0.05, 0.3)
LIFETIMES = {TokenRefreshRequested: 0.1}
PATIENCE = 30.0
NOW = 1_800_000_000
"""When everything on these buses is buried."""


@asynccontextmanager
async def opened(url: str, delays: tuple[float, ...] = DELAYS) -> AsyncIterator[Bus]:
    """Open a bus and wait until it is there."""
    in_memory = url == "memory://"
    async with (
        MemoryBus(delays=delays, lifetimes=LIFETIMES, now=lambda: NOW)
        if in_memory
        else open_rabbit(url, delays=delays, lifetimes=LIFETIMES, now=lambda: NOW)
    ) as bus:
        await connected(bus)
        yield bus


async def connected(bus: Bus, *, expected: bool = True) -> None:
    """Wait until the bus is connected, or is not."""
    async with asyncio.timeout(PATIENCE):
        while bus.is_connected() is not expected:
            await asyncio.sleep(0.01)


@pytest.fixture(params=["memory", "watched", pytest.param("rabbit", marks=pytest.mark.services)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """An empty bus; also one that the playground looks into."""
    url = request.getfixturevalue("rabbit_url") if request.param == "rabbit" else "memory://"
    async with opened(url) as opened_bus:
        watched = request.param == "watched"
        yield WatchedBus(opened_bus, Lane.GATEWAY, Onlooker()) if watched else opened_bus


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the whole schema and no rows."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[Stores]:
    """The three stores of that database."""
    async with open_stores(database_url) as stores:
        yield stores


@pytest.fixture
async def context(stores: Stores, database_url: str, tmp_path: Path) -> AsyncIterator[AuthContext]:
    """What auth_worker's handlers are given."""
    made = keys.create(SystemRandom().token_bytes)
    async with MemoryBus() as bus:
        yield AuthContext(
            settings=load(
                database_url=database_url,
                broker_url="memory://",
                keys_dir=tmp_path,
                public_url="http://127.0.0.1",
            ),
            bus=bus,
            store=stores.auth,
            keys=made.auth_worker,
            public_keys=made.public,
            clock=SystemClock(),
            random=SystemRandom(),
            providers={},
            verifier=TokenVerifier(made.public.signing, issuer="127.0.0.1"),
        )
