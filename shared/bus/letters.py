"""The dead letters at the broker: fetched to be looked at, or to be put back where they came from."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from shared import wire
from shared.bus.base import DeadLetter

PutBack = Callable[[str, bytes], Awaitable[None]]
"""Sends a message to a work queue; returns when it is confirmed."""


async def oldest(channel: AbstractChannel, name: str, limit: int) -> list[DeadLetter]:
    """Return the letters at the head of a queue; the end of the channel gives them back."""
    letters: list[DeadLetter] = []
    async with _fetching(channel, name) as queue:
        while len(letters) < limit and (message := await queue.get(fail=False)):
            letters.append(_as_letter(message))
    return letters


async def replay(channel: AbstractChannel, name: str, letter_ids: Collection[str], put_back: PutBack) -> int:
    """Put letters back, each as its first attempt, and return how many; those passed over stay where they were."""
    wanted = set(letter_ids)
    left = set(wanted)
    async with _fetching(channel, name) as queue:
        while left and (message := await queue.get(fail=False)):
            letter = _as_letter(message)
            if letter.letter_id in left:
                await put_back(letter.queue, wire.as_first_attempt(letter.body))
                await message.ack()
                left.discard(letter.letter_id)
    return len(wanted) - len(left)


@asynccontextmanager
async def _fetching(channel: AbstractChannel, name: str) -> AsyncIterator[AbstractQueue]:
    try:
        yield await channel.get_queue(name, ensure=False)
    finally:
        await channel.close()


def _as_letter(message: AbstractIncomingMessage) -> DeadLetter:
    """Return a message with what `bury` put into its headers."""
    queue, reason = (str(message.headers.get(name, "unknown")) for name in ("queue", "reason"))
    return DeadLetter(
        letter_id=message.message_id or "unknown",
        queue=queue,
        reason=reason,
        body=message.body,
        buried_at=None if message.timestamp is None else round(message.timestamp.timestamp()),
    )
