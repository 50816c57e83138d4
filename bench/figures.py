"""What a run comes to: figures with their spread, and the machine they are of."""

import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from bench import processes

PACKAGES = ("aiohttp", "uvloop", "asyncpg", "sqlalchemy", "aio-pika", "joserfc", "pynacl", "cryptography")


class Figure(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of the table."""

    name: str
    """Short, for machines."""
    what: str
    unit: str
    """Of `value`: `ratio` to the floor, `1/s`, `ms`, `MB`, `s`, `times`."""
    value: float
    """Median of the rounds."""
    low: float
    high: float
    at_least: float | None = None
    """The bar; of milliseconds, megabytes, seconds and costs: at most."""
    aim: float | None = None
    details: dict[str, float | str] = {}
    """Such as `rate`, `floor_rate`, `cpu_us`, `cpu_ratio`, `p99_ms`."""

    @property
    def reaches(self) -> bool | None:
        """Tell whether the bar is reached, if there is one."""
        if self.at_least is None:
            return None
        return self.value <= self.at_least if self.is_cost else self.value >= self.at_least

    @property
    def is_cost(self) -> bool:
        """Tell whether less is better."""
        return self.unit in {"ms", "MB", "s", "times the cost", "households"}


class Machine(msgspec.Struct, kw_only=True):
    """Where it was measured: nothing that names it."""

    cores: int
    model: str
    memory_gb: int
    kernel: str
    python: str
    packages: dict[str, str]
    servers: dict[str, str]
    load_before: float
    """Load average before the run: above 0.5 somebody else was at work, too."""


class Results(msgspec.Struct, kw_only=True):
    """One run."""

    machine: Machine
    short: bool
    seconds: float
    """The whole run took."""
    figures: list[Figure]
    failed: dict[str, str] = {}
    """Part that could not be measured -> why."""


def figure(
    name: str,
    what: str,
    unit: str,
    values: Sequence[float],
    *,
    at_least: float | None = None,
    aim: float | None = None,
    **details: float | str,
) -> Figure:
    """Return the median of *values* with their spread."""
    return Figure(
        name=name,
        what=what,
        unit=unit,
        value=statistics.median(values),
        low=min(values),
        high=max(values),
        at_least=at_least,
        aim=aim,
        details=details,
    )


def machine(servers: dict[str, str]) -> Machine:
    """Describe this machine."""
    cpu = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split()[1])
    return Machine(
        cores=len(processes.cores()),
        model=models[0] if models else platform.machine(),
        memory_gb=round(memory / 1024 / 1024),
        kernel=platform.release(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages={name: found for name in PACKAGES if (found := _version(name))},
        servers=servers,
        load_before=float(Path("/proc/loadavg").read_text().split()[0]),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
