"""Traces: what happened to one link from the first call to the token, or to one call, across all processes.

Nothing is handed from process to process for it. A trace is named by a hash of what every event carries anyway: of the link's id, or
where there is none of the correlation id; so is its first span, the call that began it. A span is told when it is over.

This is the port, and what there is without tracing: nothing. `shared.otel` has the other.
"""

from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, Protocol

CAUSE: ContextVar[tuple[str, str]] = ContextVar("cause", default=("", ""))
"""Correlation id and link id of the event at hand, for what is done because of it."""
MOST_CALLS = 1_000
"""Calls under way of which it is remembered what link they are about."""

Side = Literal["server", "producer", "consumer", "client"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One thing that was done. Nothing in it is secret, or chosen by somebody outside."""

    name: str
    """Such as `handle link.requested`."""
    side: Side
    seconds: float
    outcome: str
    correlation_id: str
    link_id: str = ""
    begins: bool = False
    """Whether its trace begins with it."""
    failed: bool = False
    """Whether the outcome is one to look into."""


class Traces(Protocol):
    """Takes spans."""

    @property
    def is_on(self) -> bool:
        """Tell whether anybody wants them."""
        ...

    def concerns(self, correlation_id: str, link_id: str) -> None:
        """Say that a call under way is about a link."""
        ...

    def tell(self, span: Span) -> None:
        """Take a span that has just ended."""
        ...

    async def close(self) -> None:
        """Send what is left."""
        ...


class NoTraces:
    """Nobody wants any."""

    is_on = False

    def concerns(self, correlation_id: str, link_id: str) -> None:
        """Do nothing."""

    def tell(self, span: Span) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class Links:
    """What calls under way are about."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, str] = OrderedDict()

    def keep(self, correlation_id: str, link_id: str) -> None:
        """Remember it; the oldest makes room."""
        self._links[correlation_id] = link_id
        if len(self._links) > MOST_CALLS:
            self._links.popitem(last=False)

    def of(self, correlation_id: str) -> str:
        """Return the link that a call is about, empty if none."""
        return self._links.get(correlation_id, "")
