"""What the operator page shows, as plain values: pure functions from rows and samples."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.facts import Facts
from shared.domain.sight import Sight
from shared.domain.stops import WORKS, Story
from shared.domain.timeline import STAGES, Trail
from shared.storage.timelines import Reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that is looked at."""

    name: str
    """In the address."""
    title: str
    span: int
    """Seconds of one column."""
    columns: int

    def begins(self, now: int) -> int:
        """Return when its first column begins; columns begin at whole spans."""
        return now - now % self.span - (self.columns - 1) * self.span


WINDOWS = {
    window.name: window
    for window in (
        Window(name="day", title="the last 24 hours", span=3600, columns=24),
        Window(name="week", title="the last seven days", span=86400, columns=7),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One row of the funnel."""

    name: str
    links: int
    share: float
    """Of all links, from 0 to 1."""
    lost: int
    """Links that came as far as the stage before, and not to this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One span of time."""

    label: str
    requested: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How long people waited for a worker, from what a gateway saw until its part was done; whole seconds, by two clocks."""

    name: str
    times: int
    half: int
    """Half of them waited no longer."""
    longest: int
    waiting: int
    """Links that wait right now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One way to stop, and how many links stopped that way."""

    title: str
    advice: str
    links: int
    last: str
    """Id of the last link that did."""


def funnel(reached: Iterable[Reached]) -> tuple[Stage, ...]:
    """Return how many links came how far: who is at one stage has been at all before it."""
    at: Counter[int] = Counter()
    for each in reached:
        at[each.stage] += each.links
    counts = [sum(links for stage, links in at.items() if stage >= index) for index in range(len(STAGES))]
    whole = counts[0] or 1
    return tuple(
        Stage(
            name=name,
            links=count,
            share=count / whole,
            lost=(counts[index - 1] if index else count) - count,
        )
        for index, (name, count) in enumerate(zip(STAGES, counts, strict=True))
    )


def columns(reached: Iterable[Reached], window: Window, *, now: int) -> tuple[Column, ...]:
    """Return the columns of a window, the empty ones too."""
    requested: Counter[int] = Counter()
    used: Counter[int] = Counter()
    for each in reached:
        requested[each.begins] += each.links
        used[each.begins] += each.links if each.stage == len(STAGES) - 1 else 0
    first = window.begins(now)
    starts = [first + index * window.span for index in range(window.columns)]
    return tuple(Column(label=_label(at, window), requested=requested[at], used=used[at]) for at in starts)


def causes(stories: Sequence[Story]) -> tuple[Cause, ...]:
    """Return why links stopped, the most frequent first; those that may still go on are left out."""
    stopped: defaultdict[str, list[Story]] = defaultdict(list)
    for story in stories:
        if not story.verdict.is_open and story.verdict.stop != WORKS:
            stopped[story.verdict.stop].append(story)
    found = sorted(stopped.values(), key=len, reverse=True)
    return tuple(
        Cause(
            title=told[0].verdict.title,
            advice=told[0].verdict.advice,
            links=len(told),
            last=told[0].trail.link.link_id,
        )
        for told in found
    )


def lags(trails: Sequence[Trail]) -> tuple[Lag, ...]:
    """Return how long people waited for each worker."""
    found = {
        "auth_worker, to judge": [
            _wait(facts, Sight.SENT, next((event.at for event in facts.judged), None))
            for facts in map(Facts, trails)
        ],
        "token_worker, to mint": [
            _wait(facts, Sight.ALLOWED, facts.linked_at if facts.did("link.linked") else None)
            for facts in map(Facts, trails)
        ],
    }
    return tuple(_lag(name, [wait for wait in waits if wait is not None]) for name, waits in found.items())


def _wait(facts: Facts, begin: Sight, end: int | None) -> int | None:
    """Return how long it took, -1 if it goes on, and None if there is nothing to wait for (any more)."""
    if not facts.saw(begin):
        return None
    if end is None:
        return -1 if facts.is_open else None
    return max(0, end - facts.seen[begin].first_at)


def _lag(name: str, waits: Sequence[int]) -> Lag:
    over = sorted(wait for wait in waits if wait >= 0)
    return Lag(
        name=name,
        times=len(over),
        half=over[(len(over) - 1) // 2] if over else 0,
        longest=over[-1] if over else 0,
        waiting=len(waits) - len(over),
    )


def _label(at: int, window: Window) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%H:%M}" if window.span < 86400 else f"{moment:%a %d}"
