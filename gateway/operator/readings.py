"""What this process has counted since it started, as the operator page shows it: pure functions from counts to rows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log10

from gateway.call_log import OK
from shared.metrics import Metrics, Tally, Timed

_NAMELESS = "event loop"

SHORTEST, LONGEST = 0.0005, 10.0
"""Seconds at both ends of the scale of a plot, which is logarithmic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long something took; seconds. What took longer than the last bound is told as that bound."""

    name: str
    times: int
    half: float
    most: float
    """95 of 100 were as fast."""
    nearly_all: float
    """99 of 100 were as fast."""

    @property
    def bar(self) -> tuple[float, float]:
        """Return where its bar begins, at `half`, and how long it is up to `nearly_all`; the scale is 100 long."""
        begin, end = _place(self.half), _place(self.nearly_all)
        return begin, max(1.5, end - begin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """All that is shown."""

    calls: tuple[Latency, ...]
    refreshes: tuple[Latency, ...]
    events: tuple[Latency, ...]
    """Where workers run in this process."""
    lag: tuple[Latency, ...]
    faults: tuple[tuple[str, int], ...]
    """Code -> how often, the most frequent first."""
    queues: tuple[tuple[str, int], ...]
    """Queue -> messages that wait in it, the longest first; those with none, or that this process cannot ask about, are left out."""


def of(metrics: Metrics) -> Readings:
    """Return what is shown of these counts."""
    faults: Counter[str] = Counter()
    for (_, outcome), tally in metrics.calls.tallies.items():
        if outcome != OK:
            faults[outcome] += sum(tally.counts)
    queues = Counter({queue: int(count) for (queue,), count in metrics.waiting.values.items() if count})
    return Readings(
        calls=latencies(metrics.calls),
        refreshes=latencies(metrics.refreshes),
        events=latencies(metrics.events),
        lag=latencies(metrics.loop_lag),
        faults=tuple(faults.most_common()),
        queues=tuple(queues.most_common()),
    )


def latencies(family: Timed) -> tuple[Latency, ...]:
    """Return how long things took, by the first label, whatever came of them; the most frequent first."""
    together: dict[str, list[int]] = {}
    for labels, tally in family.tallies.items():
        name = labels[0] if labels else _NAMELESS
        together[name] = _sum(together.get(name), tally)
    found = [
        Latency(
            name=name,
            times=sum(counts),
            half=percentile(counts, family.bounds, 0.5),
            most=percentile(counts, family.bounds, 0.95),
            nearly_all=percentile(counts, family.bounds, 0.99),
        )
        for name, counts in together.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.times, each.name)))


def percentile(counts: Sequence[int], bounds: Sequence[float], share: float) -> float:
    """Return below what *share* of all lay, as if what lies between two bounds lay evenly.

    Args:
        counts: up to each of the bounds, and beyond the last.
    """
    wanted = share * sum(counts)
    before, low = 0, 0.0
    for count, high in zip(counts, bounds, strict=False):
        if count and before + count >= wanted:
            return low + (high - low) * (wanted - before) / count
        before, low = before + count, high
    return bounds[-1]


def spelt(seconds: float) -> str:
    """Return such as `0.8 ms`, `25 ms` or `1.2 s`."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def _sum(so_far: Iterable[int] | None, tally: Tally) -> list[int]:
    return (
        list(tally.counts) if so_far is None else [a + b for a, b in zip(so_far, tally.counts, strict=True)]
    )


def _place(seconds: float) -> float:
    within = min(max(seconds, SHORTEST), LONGEST)
    return 100 * log10(within / SHORTEST) / log10(LONGEST / SHORTEST)
