"""Waits for a bus, where somebody has to: a bus tells when it is asked, since services need no more."""

import asyncio

from shared.bus.base import Bus

_LOOK_SECONDS = 0.02


async def connected(bus: Bus, *, seconds: float, stop: asyncio.Event | None = None) -> bool:
    """Return whether the bus is there, at the latest after *seconds*, or when *stop* is set."""
    try:
        async with asyncio.timeout(seconds):
            while not (bus.is_connected() or (stop is not None and stop.is_set())):  # noqa: ASYNC110 - see above
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        return False
    return bus.is_connected()
