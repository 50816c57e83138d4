"""The broker, for the errand of a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared import bootstrap, logs
from shared.bus.base import Bus, BusUnavailable
from shared.bus.waiting import connected
from shared.settings import Settings

CONNECT_SECONDS = 15.0
"""How long a command waits for the broker."""


def is_embedded(settings: Settings) -> bool:
    """Tell whether the bus lives inside the one process that serves, where no command reaches it."""
    return settings.broker_url.get_secret_value().startswith("memory://")


@asynccontextmanager
async def open_broker(settings: Settings) -> AsyncIterator[Bus]:
    """Open the bus, and wait until it is there.

    Raises:
        BusUnavailable: the broker does not answer.
    """
    logs.configure(level="warning", format="console")
    async with bootstrap.open_bus(settings) as bus:
        if not await connected(bus, seconds=CONNECT_SECONDS):
            raise BusUnavailable("the broker does not answer; is it running, and LATCHKEY_BROKER_URL right?")
        yield bus
