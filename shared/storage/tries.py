"""The part of the port that is about guessing passwords: who tried when, and where an account was signed in to before."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from shared.domain.limits import Counted, Tries


class TryOutcome(StrEnum):
    """How a try ended."""

    REFUSED = "refused"
    """Counts under all its keys."""
    REPEATED = "repeated"
    """Refused with a password that counts already: remembered under its account for a moment, so that nobody is asked again at once."""
    LIMITED = "limited"
    """Not looked at; counts nowhere, like the following."""
    OVER = "over"
    """Right, or not judged at all."""


class TryReads(Protocol):
    """What gateways and auth_worker may ask."""

    async def tries(self, counted: Counted, *, other_than: str = "") -> Tries:
        """Return what counts under these keys now, but for one try; in one statement."""
        ...


class TryTransaction(TryReads, Protocol):
    """What auth_worker may do, inside one transaction."""

    async def insert_try(self, try_id: str, *, service: str, counted: Counted, memory: int) -> bool:
        """Record that a password was offered, for *memory* seconds; False if this try was recorded before."""
        ...

    async def try_outcome(self, try_id: str) -> TryOutcome | None:
        """Return how a try ended; None while it has not, or if there is none."""
        ...

    async def end_try(self, try_id: str, outcome: TryOutcome) -> None:
        """Record how a try ended; the first word stays, and what does not count loses its keys."""
        ...

    async def know_places(self, places: Sequence[str], *, service: str, seconds: int) -> None:
        """Remember where an account was signed in to just now: its `at_network` and `at_place`."""
        ...
