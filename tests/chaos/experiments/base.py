"""What an experiment is, and what comes of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.chaos.cluster import PLAIN, Cluster, Stage
from tests.chaos.ledger import Counts

Inflict = Callable[[Cluster], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One way to break the system."""

    number: int
    name: str
    title: str
    inflict: Inflict
    """Breaks it and mends it again, while households live."""
    gate: bool = False
    """Whether every change has to pass it."""
    down: str | None = None
    """The row of the failure matrix that it fills, if any."""
    stage: Stage = PLAIN
    """What it needs of the system; experiments of one stage follow each other on one system."""
    leaves_whole: bool = True
    """Whether the next one may have the system: what is broken here is mended here, and looked at afterwards."""
    buries: int = 0
    """How many messages have to be among the dead letters that were not there before."""
    prepare: Inflict | None = None
    """What is done to the system before households come."""
    check: Inflict | None = None
    """Looks at the system when all households are at rest."""
    begins_again: bool = False
    """Whether households may be told that their link failed, and begin again; else that is a surprise."""
    seconds: float = 400.0
    """How long it may take at most."""
    traffic: bool = True
    """Whether households live while it is inflicted; else it brings its own."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one experiment ended."""

    experiment: Experiment
    counts: Counts
    seconds: float
    seen: Mapping[str, Mapping[str, int]]
    """Operation -> how it was answered while the fault lasted -> how often."""
    facts: tuple[str, ...]
    surprises: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Tell whether everything was as it has to be."""
        return self.counts.is_good

    def as_dict(self) -> "Record":
        """Return it as JSON has it."""
        return {
            "number": self.experiment.number,
            "name": self.experiment.name,
            "title": self.experiment.title,
            "down": self.experiment.down,
            "good": self.is_good,
            "seconds": round(self.seconds, 1),
            **asdict(self.counts),
            "seen": self.seen,
            "facts": self.facts,
            "surprises": self.surprises,
        }


Record = dict[str, Any]
"""A result as JSON has it."""

_TABLE: dict[str, Experiment] = {}


def experiment(number: int, title: str, **options: Any) -> Callable[[Inflict], Inflict]:
    """Enter a function into the table of experiments, under its own name."""

    def enter(inflict: Inflict) -> Inflict:
        name = inflict.__name__.replace("_", "-")
        assert name not in _TABLE, name
        _TABLE[name] = Experiment(number=number, name=name, title=title, inflict=inflict, **options)
        return inflict

    return enter


def table() -> dict[str, Experiment]:
    """Return all experiments by name, in the order of their numbers."""
    return dict(sorted(_TABLE.items(), key=lambda item: item[1].number))
