"""The part of the port that is about typed codes: their rows, and what gateways and auth_worker ask about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class EntryOutcome(StrEnum):
    """How a typed code was judged."""

    RIGHT = "right"
    WRONG = "wrong"
    """Never issued, or its time is over: nobody is told which."""
    TOO_MANY = "too_many"
    """Not looked at: this browser or its network had used up its guesses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeEntry:
    """One row of `code_entries`: somebody typed a code."""

    entry_id: str
    service: str
    browser: str
    network: str
    entered_at: int
    outcome: EntryOutcome | None = None
    """None until it is judged; counts as a guess until then."""
    typed_id: str | None = None
    """Which code it was, if it was right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedCode:
    """One row of `typed_codes`: a short name of a live link."""

    typed_id: str
    service: str
    link_id: str
    sealed: bytes
    """The link code, for the gateways alone."""
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesses:
    """When codes that count as guesses were typed, in seconds since the epoch."""

    browser: tuple[int, ...]
    network: tuple[int, ...]
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """What the page after a typed code shows."""

    entry: CodeEntry
    sealed: bytes | None
    """The link code, if the entry was right and the link still lives."""


class CodeReads(Protocol):
    """What a gateway may ask about typed codes."""

    async def live_codes(self, most: int) -> int:
        """Return how many typed codes are live, counting no further than *most*."""
        ...

    async def guesses(self, *, browser: str, network: str) -> Guesses:
        """Return which guesses of a browser, and of its network, count now."""
        ...

    async def code_entry(self, entry_id: str) -> EntryView | None:
        """Return how a typed code was judged, and the sealed link code it stands for."""
        ...


class CodeTransaction(Protocol):
    """What auth_worker may do to typed codes, inside one transaction."""

    async def insert_typed_code(self, code: TypedCode) -> bool:
        """Give a link a short name; False if a link has that name, or had it a moment ago."""
        ...

    async def typed_code(self, typed_ids: Sequence[str]) -> str | None:
        """Return the id, among those, of a typed code that is live."""
        ...

    async def insert_code_entry(self, entry: CodeEntry) -> bool:
        """Record that a code was typed; False if this entry was recorded before."""
        ...

    async def code_entry(self, entry_id: str) -> CodeEntry | None:
        """Return an entry."""
        ...

    async def judge_code_entry(self, entry_id: str, outcome: EntryOutcome, typed_id: str | None) -> None:
        """Record how an entry was judged; the first judgement stays."""
        ...

    async def guesses(self, *, browser: str, network: str) -> Guesses:
        """Return which guesses of a browser, and of its network, count now; committed ones are all among them."""
        ...
