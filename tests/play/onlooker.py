"""Somebody who looks into the bus, and writes down what passes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from deploy.playground.lanes import Lane
from shared.messages import Event


@dataclass(kw_only=True)
class Onlooker:
    """What was seen, in its order: `gateway > bus link.requested`, `looked at auth_worker's rows`."""

    is_broken: bool = False
    seen: list[str] = field(default_factory=list)

    def passed(
        self, source: Lane, target: Lane, events: Sequence[Event], *, note: str = "", failed: bool = False
    ) -> None:
        """Write down what passes."""
        end = " in vain" if failed else ""
        self.seen += [f"{source.title} > {target.title} {event.kind}{end}" for event in events]

    async def worked(self, worker: Lane, events: Sequence[Event]) -> None:
        """Write down that rows may be looked at."""
        self.seen.append(f"looked at {worker.title}'s rows")
