"""What was seen of an installation. Nothing in here is secret: settings hide theirs, and the rest is what anybody may read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from deploy.check.report import Outcome
from deploy.sonos.strings import Table
from shared.bus.inspection import BrokerFacts
from shared.settings import Settings
from shared.storage.inspection import DatabaseFacts

FactsT = TypeVar("FactsT")


class Skipped(Exception):
    """A check has nothing to judge; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Why nothing was seen."""

    reason: str
    is_failure: bool
    """Whether something should have been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the operator said that no setting has."""

    registered: tuple[str, ...] = ()
    """The endpoints that Sonos was given."""
    strings: Table | None = None
    """The texts that Sonos was given."""
    replicas: int = 2
    """How many run of each service."""
    ca_file: str | None = None
    management: str | None = None
    """Where the broker's management plugin is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFacts:
    """What the public address answered."""

    key_ids: frozenset[str] | None
    """Of the keys at `/.well-known/jwks.json`; None if it has none to read."""
    endpoints: Mapping[str, str]
    """SMAPI endpoint -> what it answered instead of SMAPI; empty where it is SMAPI."""
    tls: tuple[Outcome, ...]
    """What `latchkey check` found on the way there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy of the broker, or of whoever operates it for others."""

    name: str
    pattern: str
    applies_to: str
    priority: int
    by_operator: bool
    definition: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementFacts:
    """What a broker shows by its management plugin alone."""

    policies: tuple[Policy, ...]
    """Those of our virtual host."""
    alarms: tuple[str, ...]
    """What there is too little of: `memory`, `disk`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A file of the key folder."""

    mode: int
    written: int
    """Seconds since the epoch."""
    problem: str
    """Why it cannot be used; empty if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """The key folder."""

    folder: str
    folder_mode: int
    files: Mapping[str, KeyFile]
    """By name without `.json`; those that are there."""
    unmatched: tuple[str, ...]
    """What is in a role's file without its public half in `public.json`."""
    public_ids: frozenset[str]
    """The ids of the keys that verify tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """A provider that is somewhere else."""

    name: str
    failure: str
    """Why nobody could sign in there; empty if they could."""
    redirect_uri: str
    """Where it has to send people back to; empty if nobody is sent there."""
    refusal: str
    """What it answered to a browser that was sent there; empty if it lets it in, or was not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that was seen."""

    settings: Settings
    told: Told
    now: int
    """By this machine's clock, when the database was asked for its own."""
    needed: str
    """The migration that this code needs."""
    head: str
    """The last migration that this code has."""
    public: PublicFacts | Unseen
    database: DatabaseFacts | Unseen
    broker: BrokerFacts | Unseen
    management: ManagementFacts | Unseen
    keys: KeyFacts | Unseen
    providers: tuple[ProviderFacts, ...]


def known(facts: FactsT | Unseen) -> FactsT:
    """Return facts.

    Raises:
        Skipped: there are none.
    """
    if isinstance(facts, Unseen):
        raise Skipped("nothing was seen of it" if facts.is_failure else facts.reason)
    return facts
