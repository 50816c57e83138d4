"""Tells the workers which tokens, sessions and visits are in use: best effort, once per gateway, never in the way of a call."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable

import structlog

from shared.bus.base import Bus, BusUnavailable
from shared.messages import SessionUsed, TokenSeen, VisitUsed

REMEMBERED = 100_000
"""Sights remembered as told; the oldest are forgotten, and told again if they come back."""
AT_A_TIME = 64
"""Messages under way; more are not sent: the next call tells."""

log = structlog.get_logger(__name__)


class Sightings:
    """What this gateway has told so far."""

    def __init__(self) -> None:
        self._told: OrderedDict[Hashable, None] = OrderedDict()
        self._under_way: set[asyncio.Task[None]] = set()

    def tell(self, event: TokenSeen | SessionUsed | VisitUsed, sight: Hashable, bus: Bus) -> None:
        """Send *event* in the background, unless this *sight* was told before."""
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

    async def _send(self, event: TokenSeen | SessionUsed | VisitUsed, sight: Hashable, bus: Bus) -> None:
        try:
            await bus.publish([event])
        except BusUnavailable:
            self._told.pop(sight, None)
            log.info("use not told", kind=event.kind, correlation_id=event.correlation_id)
