"""Tells token_worker which generations are in use: best effort, once per gateway, never in the way of a call."""

import asyncio
from collections import OrderedDict

import structlog

from shared.bus.base import Bus, BusUnavailable
from shared.messages import TokenSeen

REMEMBERED = 100_000
"""Generations remembered as told; the oldest are forgotten, and told again if they come back."""
AT_A_TIME = 64
"""Messages under way; more are not sent: the next call tells."""

log = structlog.get_logger(__name__)


class Sightings:
    """What this gateway has told so far."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._under_way: set[asyncio.Task[None]] = set()

    def tell(self, event: TokenSeen, bus: Bus) -> None:
        """Send *event* in the background, unless it was told before."""
        sight = (event.grant_id, event.family, event.generation)
        if sight in self._told or len(self._under_way) >= AT_A_TIME:
            return
        self._told[sight] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        task = asyncio.create_task(self._send(event, sight, bus))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def drain(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way)

    async def _send(self, event: TokenSeen, sight: tuple[str, int, int], bus: Bus) -> None:
        try:
            await bus.publish([event])
        except BusUnavailable:
            self._told.pop(sight, None)
            log.info("first use of a token not told", correlation_id=event.correlation_id)
