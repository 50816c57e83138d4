"""Whether what waits for a reader reaches it: the one proof there is, since a broker may list a consumer that gets nothing."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel

STARVED_SECONDS = 5.0
"""How long messages may wait for a reader that has room for them, and gets none."""
_GOODBYE_SECONDS = 0.5


@dataclass(slots=True, kw_only=True)
class Flow:
    """What one reader was given, held against what waits for it."""

    room: int
    """Messages it takes at a time."""
    received: int = 0
    in_hand: int = 0
    _seen: int = 0
    _starved_since: float | None = None

    def is_starved(self, waiting: int, now: float) -> bool:
        """Take note of how many messages wait for it *now* (monotonic seconds), and tell whether they do not arrive."""
        flows = waiting == 0 or self.received != self._seen or self.in_hand >= self.room
        self._seen = self.received
        if flows:
            self._starved_since = None
        elif self._starved_since is None:
            self._starved_since = now
        return self._starved_since is not None and now - self._starved_since >= STARVED_SECONDS


async def waiting_in(channel: AbstractChannel, queues: Mapping[str, str]) -> dict[str, int]:
    """Return how many messages wait in each queue, by our name for it, and close the channel.

    Args:
        queues: our name -> the broker's.
    """
    try:
        return {ours: await _waiting(channel, name) for ours, name in queues.items()}
    finally:
        # After a look that was given up, since the broker says nothing, it would not say good-bye either.
        with suppress(Exception):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await channel.close()


async def _waiting(channel: AbstractChannel, queue: str) -> int:
    declared = await channel.declare_queue(queue, passive=True)
    return declared.declaration_result.message_count or 0
