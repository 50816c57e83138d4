"""Two things that nobody shall tell apart by the time they take: measured in turns, compared by rank."""

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Milliseconds of tries of two kinds; those of one number were made one right after the other, in random order."""

    one: str
    other: str
    of_one: list[float]
    of_other: list[float]

    @property
    def median_difference(self) -> float:
        return abs(statistics.median(self.of_one) - statistics.median(self.of_other))

    @property
    def paired_difference(self) -> float:
        """Return the median over all pairs."""
        return statistics.median(a - b for a, b in zip(self.of_one, self.of_other, strict=True))

    @property
    def z(self) -> float:
        """Return the standard score of the Mann-Whitney rank test: beyond 3 the two can be told apart."""
        n, m = len(self.of_one), len(self.of_other)
        ranked = sorted([(value, 0) for value in self.of_one] + [(value, 1) for value in self.of_other])
        ranks = sum(rank for rank, (_, group) in enumerate(ranked, 1) if group == 0)
        return (ranks - n * (n + m + 1) / 2) / math.sqrt(n * m * (n + m + 1) / 12)

    def report(self) -> str:
        """Return the numbers, for people."""
        lines = [f"{'':28}{'median':>10}{'p10':>10}{'p90':>10}  ms"]
        for title, values in ((self.one, self.of_one), (self.other, self.of_other)):
            tenths = statistics.quantiles(values, n=10)
            lines.append(f"{title:28}{statistics.median(values):10.4f}{tenths[0]:10.4f}{tenths[-1]:10.4f}")
        lines.append(
            f"{len(self.of_one)} tries each; medians differ by {self.median_difference * 1e6:.0f} ns, "
            f"median within pairs {self.paired_difference * 1e6:+.0f} ns, rank test z = {self.z:+.2f}"
        )
        return "\n".join(lines)
