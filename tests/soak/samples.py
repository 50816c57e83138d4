"""What processes take, looked at again and again: memory and open files, as the kernel counts them."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.play.operator import Process

GROWTH_MB = 12.0
"""What a process may take more in the last quarter of a run than in the second: the first is for warming up."""
GROWTH_FILES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at one process."""

    memory_mb: float
    files: int


@dataclass(kw_only=True)
class Samples:
    """All looks at all processes that were there from beginning to end."""

    taken: defaultdict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def take(self, processes: Iterable[Process]) -> None:
        """Look at every process once."""
        for process in processes:
            self.taken[process.name].append(look(process.popen.pid))

    def growth(self) -> dict[str, tuple[Sample, Sample]]:
        """Return, for each process, the medians of the second and of the last quarter."""
        quarters = {name: len(taken) // 4 for name, taken in self.taken.items()}
        return {
            name: (_median(self.taken[name][quarter : 2 * quarter]), _median(self.taken[name][-quarter:]))
            for name, quarter in quarters.items()
            if quarter
        }

    def problems(self) -> list[str]:
        """Return what grew, in words."""
        return [
            f"{name} grew from {before.memory_mb:.0f} MB and {before.files} files to {after.memory_mb:.0f} MB and {after.files} files"
            for name, (before, after) in self.growth().items()
            if after.memory_mb - before.memory_mb > GROWTH_MB or after.files - before.files > GROWTH_FILES
        ]


def look(pid: int) -> Sample:
    """Look at a process now."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return Sample(
        memory_mb=int(resident.split()[1]) / 1024, files=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    )


def _median(samples: list[Sample]) -> Sample:
    return Sample(
        memory_mb=statistics.median(each.memory_mb for each in samples),
        files=int(statistics.median(each.files for each in samples)),
    )
