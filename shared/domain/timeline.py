"""From rows to the story of one link: what happened when, where it stopped, what is missing, and what to try."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.grant import GrantStatus
from shared.domain.link import Link
from shared.domain.sight import Sighting

STAGES = ("requested", "opened", "signed in", "allowed", "linked", "picked up", "used")
"""How far a link can come; whoever is at one has been at all before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that a worker did to a link, as the audit has it."""

    at: int
    kind: str
    """As in `audit_events`, such as `login.refused`."""
    detail: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """All that is known of one link."""

    link: Link
    happened: tuple[Happened, ...]
    """In the order in which it was written."""
    sightings: tuple[Sighting, ...]
    grant: GrantStatus | None
    """What became of the grant; None before there was one, or when it was erased."""
    now: int
    """The database's time."""
