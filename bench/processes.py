"""What the operating system says of processes: CPU time, memory, and on which core they may run."""

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_PROC = Path("/proc")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the seconds that processes have spent on a core so far, all their threads together."""
    total = 0
    for pid in pids:
        for thread in _threads(pid):
            # The scheduler's own nanoseconds; /proc/PID/stat counts ticks of 10 ms.
            with suppress(OSError):
                total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def memory_mb(pid: int) -> float:
    """Return the megabytes of memory that would be free without this process."""
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"the kernel does not say how much memory process {pid} has")


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for status in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name stands in brackets and may hold anything; the parent is the second field behind it.
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(status.parent.name))
    found, rest = [], [pid]
    while rest:
        found.append(rest.pop())
        rest += children.get(found[-1], [])
    return found


def pin(pids: Iterable[int], cores: set[int]) -> None:
    """Let processes, with all their threads, run on these cores alone."""
    for pid in pids:
        for thread in _threads(pid):
            with suppress(OSError):
                os.sched_setaffinity(int(thread.name), cores)


@contextmanager
def standing_still(pids: Sequence[int]) -> Iterator[None]:
    """Hold processes up meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def cores() -> list[int]:
    """Return the cores there are for us."""
    return sorted(os.sched_getaffinity(0))


def _threads(pid: int) -> list[Path]:
    try:
        return list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return []
