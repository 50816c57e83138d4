"""What is counted: one set per process, handed on in the context.

Counting is a plain addition on the one event loop, since every poll is counted; what costs more is done when somebody asks
(`shared.exposition`). Labels have few values that are known beforehand: never an id, never a word that somebody outside may choose.
"""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.domain.link import LinkState

LOOK_SECONDS = 2.0
"""How long database and broker may take to say what is asked of them before metrics are told."""

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
AGES = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)

Labels = tuple[str, ...]
Source = Callable[[], Awaitable[None]]
"""Brings levels up to date before they are told."""


class Family:
    """What is counted under one name."""

    def __init__(self, name: str, words: str, labels: Labels = ()) -> None:
        self.name = name
        self.words = words
        self.labels = labels

    @property
    def series(self) -> tuple[str, ...]:
        """Return what Prometheus calls it."""
        return (self.name,)


class Counted(Family):
    """How often something happened."""

    def __init__(self, name: str, words: str, labels: Labels = ()) -> None:
        super().__init__(name, words, labels)
        self._counts: defaultdict[Labels, int] = defaultdict(int)

    @property
    def series(self) -> tuple[str, ...]:
        """Return what Prometheus calls it."""
        return (f"{self.name}_total",)

    @property
    def counts(self) -> Mapping[Labels, int]:
        """Return what was counted."""
        return self._counts

    def begin(self, *labels: str) -> None:
        """Show that it did not happen yet: Prometheus sees no increase in a series that is born with its first event."""
        self._counts[labels] += 0

    def add(self, *labels: str, by: int = 1) -> None:
        """Count."""
        self._counts[labels] += by


@dataclass(slots=True)
class Tally:
    """How often something took how long."""

    counts: list[int]
    """Up to each of the bounds, and beyond the last."""
    seconds: float = 0.0


class Timed(Family):
    """How often something happened, and how long it took."""

    def __init__(
        self, name: str, words: str, labels: Labels = (), bounds: Sequence[float] = LATENCIES
    ) -> None:
        super().__init__(name, words, labels)
        self.bounds = bounds
        self._tallies: dict[Labels, Tally] = {}

    @property
    def series(self) -> tuple[str, ...]:
        """Return what Prometheus calls it."""
        return tuple(f"{self.name}_{end}" for end in ("bucket", "count", "sum"))

    @property
    def tallies(self) -> Mapping[Labels, Tally]:
        """Return what was counted."""
        return self._tallies

    def begin(self, *labels: str) -> None:
        """Show that it did not happen yet, for the same reason."""
        self._tally(labels)

    def observe(self, seconds: float, *labels: str) -> None:
        """Count, and add the time."""
        tally = self._tallies.get(labels) or self._tally(labels)
        tally.counts[bisect_left(self.bounds, seconds)] += 1
        tally.seconds += seconds

    def _tally(self, labels: Labels) -> Tally:
        return self._tallies.setdefault(labels, Tally([0] * (len(self.bounds) + 1)))


class Level(Family):
    """How much there is of something now."""

    def __init__(self, name: str, words: str, labels: Labels = ()) -> None:
        super().__init__(name, words, labels)
        self._values: dict[Labels, float] = {}

    @property
    def values(self) -> Mapping[Labels, float]:
        """Return what is known."""
        return self._values

    def set(self, value: float, *labels: str) -> None:
        """Say how much there is."""
        self._values[labels] = value

    def forget(self, *labels: str) -> None:
        """Say nothing, until it is known again."""
        self._values.pop(labels, None)


class Metrics:
    """What one process counts; each service its part."""

    def __init__(self) -> None:
        self.calls = Timed(
            "latchkey_smapi_call_seconds",
            "SMAPI calls answered: `outcome` is `ok` or the fault's code, an unknown `method` is `other`.",
            ("method", "outcome"),
        )
        self.refreshes = Timed(
            "latchkey_refresh_seconds",
            "Stale tokens for which a gateway asked token_worker: `delivered`, `reauthorize`, `refused`, or `late`.",
            ("outcome",),
        )
        self.token_api = Counted(
            "latchkey_token_api_requests",
            "Requests of proxies and back ends about tokens, `verify`, `introspect` and `revoke`, by HTTP status.",
            ("call", "status"),
        )
        self.link_ages = Timed(
            "latchkey_link_age_seconds",
            "Links that came to a state, and how long after they were asked for.",
            ("state",),
            AGES,
        )
        self.audited = Counted(
            "latchkey_audit_events", "What the audit has about links, logins, grants and accounts.", ("kind",)
        )
        self.providers = Timed(
            "latchkey_provider_request_seconds",
            "Requests to identity providers: `answered`, `refused` since it does not know us or our secret, `failed` with 5xx, or `unavailable`.",
            ("provider", "outcome"),
        )
        self.events = Timed(
            "latchkey_event_seconds",
            "Events that a worker handled: `done`, `refused`, tried again `later`, or `buried`.",
            ("kind", "outcome"),
        )
        self.redeliveries = Counted(
            "latchkey_redeliveries", "Messages that came again after a reader had died with them.", ("queue",)
        )
        self.buried = Counted(
            "latchkey_dead_letters", "Messages that a worker put into the dead letters.", ("queue",)
        )
        self.publishes = Timed(
            "latchkey_publish_seconds",
            "Messages handed to the broker until it confirmed: `ok`, `returned` by it since no queue took them, `nacked`, `timeout`, or `away`.",
            ("to", "outcome"),
        )
        self.broker = Level("latchkey_broker_connected", "1 while both connections to the broker are up.")
        self.waiting = Level(
            "latchkey_queue_messages",
            "Messages that wait in a queue; `dead` is that of the dead letters.",
            ("queue",),
        )
        self.connections = Level(
            "latchkey_database_connections",
            "Connections to the database: `used` now, and the `most` there may be.",
            ("service", "state"),
        )
        self.clock_offset = Level(
            "latchkey_clock_offset_seconds", "The database's clock minus this machine's.", ("service",)
        )
        self.deleted = Counted("latchkey_retention_rows", "Expired rows that were deleted.")
        self.retained = Level(
            "latchkey_retention_last_success_timestamp_seconds",
            "When the last round of deletion came to its end; seconds since the epoch.",
        )
        self.loop_lag = Timed("latchkey_loop_lag_seconds", "How late the event loop came to what was due.")
        self.sources: list[Source] = []
        for state in LinkState:
            self.link_ages.begin(state)
        self.audited.begin("token.reuse_detected")

    @property
    def families(self) -> list[Family]:
        """Return everything of our own, in the order above."""
        return [each for each in vars(self).values() if isinstance(each, Family)]

    async def look(self) -> None:
        """Bring levels up to date."""
        await asyncio.gather(*map(_in_time, self.sources))


async def _in_time(source: Source) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await source()
