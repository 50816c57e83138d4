"""What `latchkey dead` does: shows the messages that no handler could finish, and puts them back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deploy.broker import is_embedded, open_broker
from shared import wire
from shared.bus.base import Bus, DeadLetter
from shared.messages import WORK
from shared.settings import Settings
from shared.wire import WireError

MOST_LETTERS = 10_000
"""Looked at by one command: they are fetched one by one."""
SHORT = 12
"""Characters of a letter's id that are shown, and enough to name it."""
NOT_OURS = "not a message of this version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What may be said of a dead letter: never what is in it."""

    letter_id: str
    queue: str
    kind: str
    events: int
    attempt: int | None
    buried_at: int | None
    reason: str


async def listed(settings: Settings, *, limit: int) -> list[Shown]:
    """Return the oldest dead letters.

    Raises:
        ValueError: the bus lives inside another process.
        BusUnavailable: the broker does not answer.
    """
    async with _open_broker(settings) as bus:
        return [shown(letter) for letter in await bus.dead_letters(limit)]


async def replay(settings: Settings, chosen: Sequence[str] | None) -> int:
    """Put dead letters back into their queues, by the beginning of their ids or all that there are now; return how many.

    Raises:
        ValueError: there is no such letter, or it cannot go back; nothing was done.
        BusUnavailable: the broker did not take one of them; it stays, and so do those behind it. Run it again.
    """
    async with _open_broker(settings) as bus:
        found = await bus.dead_letters(MOST_LETTERS)
        return await bus.replay([letter.letter_id for letter in selected(found, chosen)])


def shown(letter: DeadLetter) -> Shown:
    """Return what may be said of a letter."""
    try:
        batch = wire.decode(letter.body)
    except WireError:
        kind, events, attempt = NOT_OURS, 0, None
    else:
        kind, events, attempt = batch.kind, len(batch.events), batch.attempt
    return Shown(
        letter_id=letter.letter_id[:SHORT],
        queue=letter.queue,
        kind=kind,
        events=events,
        attempt=attempt,
        buried_at=letter.buried_at,
        reason=letter.reason,
    )


def selected(found: Sequence[DeadLetter], chosen: Sequence[str] | None) -> list[DeadLetter]:
    """Return the letters that are meant; None means all of them.

    Raises:
        ValueError: a name fits none or several, or a letter comes from a queue that this version does not have.
    """
    letters = list(found) if chosen is None else [_named(found, name) for name in chosen]
    for letter in letters:
        if letter.queue not in WORK:
            raise ValueError(
                f"the letter {letter.letter_id[:SHORT]} came from {letter.queue!r}, which is no queue of this version;"
                " replay it with the version that has it"
            )
    return letters


def age(buried_at: int | None, now: int) -> str:
    """Return how long ago something was buried, in the largest unit that fits."""
    if buried_at is None:
        return "unknown"
    seconds = max(0, now - buried_at)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


@asynccontextmanager
async def _open_broker(settings: Settings) -> AsyncIterator[Bus]:
    if is_embedded(settings):
        raise ValueError(
            "with memory:// the bus lives inside the running process, and its dead letters end with it;"
            " its log has each as `message buried`"
        )
    async with open_broker(settings) as bus:
        yield bus


def _named(found: Sequence[DeadLetter], name: str) -> DeadLetter:
    fitting = [letter for letter in found if letter.letter_id.startswith(name)]
    if len(fitting) != 1:
        many = f"{len(fitting)} dead letters begin with" if fitting else "there is no dead letter"
        raise ValueError(f"{many} {name!r}; `latchkey dead list` shows all")
    return fitting[0]
