"""Counts what this gateway sees of each link, and tells auth_worker now and then: best effort, never in the way of a call.

What is told is how often something was seen since this gateway first saw the link, so that it may be told again, late, or
in any order. A new kind of sight is told within a second; how often it came, once a minute.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from shared.bus.base import Bus, BusUnavailable
from shared.context import Clock
from shared.domain.link_code import VerifiedCode
from shared.domain.sight import LONGEST_NOTE, Sight
from shared.messages import LinkObserved, Seen

MOST_LINKS = 10_000
"""Links counted at a time. With one more the oldest is forgotten; a poll that is to come again makes no such room for itself: were it to,
more households than these, each with a poll every few seconds, would all be news each time."""
TELL_SECONDS = 1.0
"""Between two tellings."""
COUNT_SECONDS = 60.0
"""Between two tellings of what was merely seen again."""
GRACE_SECONDS = 120
"""After which an expired link is forgotten: no request for it is taken any more."""
MOST_TOLD = 100
"""Links in one message."""

_AGAIN = frozenset({Sight.RETRY, Sight.UNAVAILABLE})

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class _Watched:
    service: str
    expires_at: int
    seen: dict[Sight, list[int]] = field(default_factory=dict)
    """Sight -> how often, first, last."""
    notes: dict[Sight, str] = field(default_factory=dict)
    told: int = 0
    """How many sights there were when they were last told."""

    @property
    def total(self) -> int:
        return sum([count[0] for count in self.seen.values()])


class Tally:
    """What this gateway has seen and not yet forgotten."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, _Watched] = OrderedDict()
        self._fresh: set[str] = set()

    def saw(self, code: VerifiedCode, sight: Sight, now: int, note: str = "") -> None:
        """Count a sight; a few dictionary look-ups, since polls come here."""
        link_id = code.link_id
        watched = self._links.get(link_id)
        if watched is None:
            if sight in _AGAIN and len(self._links) >= MOST_LINKS:
                return
            watched = self._begin(code)
        count = watched.seen.get(sight)
        if count is None:
            watched.seen[sight] = [1, now, now]
            self._fresh.add(link_id)
        else:
            count[0] += 1
            count[2] = now
        if note:
            watched.notes[sight] = note[:LONGEST_NOTE]

    async def run(self, bus: Bus, observer: str, clock: Clock) -> None:
        """Tell again and again, until cancelled."""
        counted_at = clock.monotonic()
        while True:
            await asyncio.sleep(TELL_SECONDS)
            is_time_to_count = clock.monotonic() >= counted_at + COUNT_SECONDS
            await self.tell(bus, observer, everything=is_time_to_count)
            if is_time_to_count:
                counted_at = clock.monotonic()
                self.forget(clock.now())

    async def tell(self, bus: Bus, observer: str, *, everything: bool) -> None:
        """Tell what is new, or all that is not told; while the broker is away it waits for the next time."""
        due = list(self._links) if everything else [each for each in self._fresh if each in self._links]
        self._fresh.clear()
        due = [each for each in due if self._links[each].told != self._links[each].total]
        try:
            for start in range(0, len(due), MOST_TOLD):
                await self._send(due[start : start + MOST_TOLD], bus, observer)
        except BusUnavailable as error:
            self._fresh.update(due)
            log.info("sights not told", links=len(due), reason=str(error))

    def forget(self, now: int) -> None:
        """Forget what is over and told."""
        over = [
            link_id
            for link_id, watched in self._links.items()
            if now >= watched.expires_at + GRACE_SECONDS and link_id not in self._fresh
        ]
        for link_id in over:
            del self._links[link_id]

    def _begin(self, code: VerifiedCode) -> _Watched:
        if len(self._links) >= MOST_LINKS:
            self._links.popitem(last=False)
        watched = self._links[code.link_id] = _Watched(service=code.service, expires_at=code.expires_at)
        return watched

    async def _send(self, link_ids: Sequence[str], bus: Bus, observer: str) -> None:
        watched = [(link_id, self._links[link_id]) for link_id in link_ids if link_id in self._links]
        totals = [each.total for _, each in watched]
        if watched:
            await bus.publish([_observed(link_id, each, observer) for link_id, each in watched])
        for (_, each), total in zip(watched, totals, strict=True):
            each.told = total


def _observed(link_id: str, watched: _Watched, observer: str) -> LinkObserved:
    return LinkObserved(
        service=watched.service,
        link_id=link_id,
        observer=observer,
        seen=tuple(
            Seen(
                sight=sight,
                times=times,
                first_at=first_at,
                last_at=last_at,
                note=watched.notes.get(sight, ""),
            )
            for sight, (times, first_at, last_at) in watched.seen.items()
        ),
    )
