"""The part of the store's port that tells what became of a link: what was seen of it, and the rows that tell its story."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.domain.sight import Sighting
from shared.domain.timeline import Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How many of the links that were asked for in one span of time came how far."""

    begins: int
    """Seconds since the epoch."""
    stage: int
    """Index in `timeline.STAGES` of the furthest they came."""
    links: int


class TimelineReads(Protocol):
    """What a gateway, and the command, may ask."""

    async def trails(self, link_ids: Sequence[str]) -> tuple[Trail, ...]:
        """Return what is known of links, the one asked for last first; those without a row are missing."""
        ...

    async def links_of(self, household_id: str, *, limit: int) -> tuple[str, ...]:
        """Return the ids of a household's links, the one asked for last first."""
        ...

    async def link_named(self, typed_ids: Sequence[str]) -> str | None:
        """Return the id of the link that has one of these short names; None when its time is over."""
        ...

    async def funnel(self, *, since: int, span: int, most: int) -> tuple[Reached, ...]:
        """Return how far links came that were asked for from *since* on, by spans of *span* seconds; of the last *most* links."""
        ...

    async def latest(self, *, since: int, most: int) -> tuple[str, ...]:
        """Return the ids of links asked for from *since* on, the last first."""
        ...

    async def unfinished(self, *, since: int, most: int) -> tuple[str, ...]:
        """Return the ids of those among the last *most* whose token was never used, the last first."""
        ...


class SightingWrites(Protocol):
    """What auth_worker may do."""

    async def put_sightings(self, sightings: Sequence[Sighting]) -> None:
        """Write what was seen, over what the same observer saw earlier; a link without a row, or with too many, is passed over."""
        ...


class FirstUses(Protocol):
    """What token_worker may do."""

    async def note_first_use(self, grant_id: str) -> None:
        """Record that the token of the link a grant last came from is in use; once."""
        ...
