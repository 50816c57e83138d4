"""What a run has found, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.check.sources import Source


class Mode(StrEnum):
    """How a service has its households prove who they are, in the words of Sonos's service descriptor."""

    APP_LINK = "app-link"
    DEVICE_LINK = "device-link"
    SESSION_ID = "session-id"
    STATELESS = "stateless"
    ANONYMOUS = "anonymous"


LINKING = frozenset({Mode.APP_LINK, Mode.DEVICE_LINK})
EVERY = frozenset(Mode)


class Severity(StrEnum):
    """How much it matters."""

    WRONG = "wrong"
    """Sonos's own apps and players trip over it, or it is unsafe."""
    WARNING = "warning"
    """Some client or some moment will."""


class State(StrEnum):
    """What became of a check."""

    CLEAN = "clean"
    FOUND = "found"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What there is to say of a check before it has run."""

    check_id: str
    """`group.name`."""
    title: str
    """What should be so, as a sentence without its full stop."""
    severity: Severity
    sonos: str
    """What Sonos, or the client that is named, does where it is not so."""
    way_out: str
    source: Source
    modes: frozenset[Mode]

    @property
    def group(self) -> str:
        """Return what it belongs to."""
        return self.check_id.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one check."""

    about: About
    state: State
    said: str = ""
    """What was seen, or why it was skipped."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of all of them."""

    endpoint: str
    mode: Mode
    outcomes: tuple[Outcome, ...]
    figures: Mapping[str, float] = field(default_factory=dict)
    """Measured on the way, in milliseconds unless the name says otherwise."""

    @property
    def findings(self) -> tuple[Outcome, ...]:
        """Return what was found, what matters most first."""
        found = [outcome for outcome in self.outcomes if outcome.state is State.FOUND]
        return tuple(sorted(found, key=lambda outcome: outcome.about.severity is Severity.WARNING))

    def count(self, state: State) -> int:
        """Return how many checks ended so."""
        return sum(outcome.state is state for outcome in self.outcomes)
