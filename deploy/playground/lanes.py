"""Who takes part: the lanes of the diagram, and what passes between them."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Kind = Literal["soap", "event", "rows", "read", "note"]

LONGEST_TEXT = 4000
"""Characters of a text that is opened; a content server's answer could be long."""


class Lane(IntEnum):
    """A lane, counted from the left."""

    SONOS = 1
    GATEWAY = 2
    BUS = 3
    AUTH_WORKER = 4
    TOKEN_WORKER = 5
    DATABASE = 6

    @property
    def title(self) -> str:
        """Return what stands above the lane."""
        return _TITLES[self]


_TITLES = {
    Lane.SONOS: "Sonos",
    Lane.GATEWAY: "gateway",
    Lane.BUS: "bus",
    Lane.AUTH_WORKER: "auth_worker",
    Lane.TOKEN_WORKER: "token_worker",
    Lane.DATABASE: "database",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One arrow, or a note where it begins and ends in the same lane. All of it is masked already."""

    source: Lane
    target: Lane
    kind: Kind
    label: str
    text: str = ""
    """What opens when the step is pressed."""
    failed: bool = False
    is_answer: bool = False

    @property
    def first(self) -> int:
        """Return the lane at its left end."""
        return min(self.source, self.target)

    @property
    def last(self) -> int:
        """Return the lane at its right end."""
        return max(self.source, self.target)

    @property
    def direction(self) -> str:
        """Return where the arrow points: `right`, `left`, or `here` for a note."""
        if self.source == self.target:
            return "here"
        return "right" if self.source < self.target else "left"
