"""The bus inside one process has bounds: whatever stands still, the machine goes on."""

import pytest
import structlog

from shared.bus import memory
from shared.bus.base import BusUnavailable
from shared.bus.memory import MemoryBus
from shared.messages import LinkRequested, TokenSeen

REQUESTED = LinkRequested(service="default", link_id="link-1", lifetime=600, household_id="Sonos_x")
SEEN = TokenSeen(service="default", grant_id="grant-1", family=1, generation=1)


async def test_queue_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is new is refused then; what has been taken before comes back all the same, and other queues have room."""
    monkeypatch.setattr(memory, "LONGEST_QUEUE", 2)
    async with MemoryBus(delays=(0,)) as bus:
        for _ in range(2):
            await bus.publish([REQUESTED])
        with pytest.raises(BusUnavailable, match="too many messages are waiting"):
            await bus.publish([REQUESTED])
        await bus.retry("auth.link", REQUESTED, attempt=2)
        await bus.publish([SEEN])


async def test_dead_letters_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest makes room, and is told."""
    monkeypatch.setattr(memory, "MOST_DEAD_LETTERS", 2)
    async with MemoryBus() as bus:
        with structlog.testing.capture_logs() as logs:
            for name in ("first", "second"):
                await bus.bury("auth.link", b"", reason=name)
            told_before = list(logs)
            await bus.bury("auth.link", b"", reason="third")
        letters = await bus.dead_letters()

    assert ["second", "third"] == [letter.reason for letter in letters]
    assert ([], ["first"]) == (told_before, [line["reason"] for line in logs])
