"""Waits for what the workers tell: "link X changed", "token Y refreshed".

Best effort by design: who waits in vain reads the row.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from shared.messages import (
    AccountEndJudged,
    AccountKnown,
    CodeJudged,
    CredentialsJudged,
    Event,
    FamilyEnded,
    LinkChanged,
    TokenRefreshed,
    VisitChanged,
)


class Expectation:
    """A result that was announced and may come at any time from now on."""

    def __init__(self) -> None:
        self.arrived: asyncio.Future[Event] = asyncio.get_running_loop().create_future()

    def fulfil(self, event: Event) -> None:
        """Hand over the result; only the first counts."""
        if not self.arrived.done():
            self.arrived.set_result(event)

    async def wait(self, seconds: float) -> Event | None:
        """Return the result, or None when it did not come in time."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self.arrived)
        except TimeoutError:
            return None


class Results:
    """The results this gateway is waiting for."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[type[Event], str], set[Expectation]] = defaultdict(set)

    @contextmanager
    def expect(self, kind: type[Event], name: str) -> Iterator[Expectation]:
        """Start waiting *before* asking, so that the answer cannot come too early; `NAMED_BY` says what a kind goes by."""
        expectation = Expectation()
        self._waiting[kind, name].add(expectation)
        try:
            yield expectation
        finally:
            self._waiting[kind, name].discard(expectation)
            if not self._waiting[kind, name]:
                del self._waiting[kind, name]

    def receive(self, event: Event) -> None:
        """Wake whoever waits for this event."""
        kind = type(event)
        for expectation in tuple(self._waiting.get((kind, getattr(event, NAMED_BY[kind])), ())):
            expectation.fulfil(event)


NAMED_BY: dict[type[Event], str] = {
    LinkChanged: "link_id",
    VisitChanged: "visit_hash",
    CodeJudged: "entry_id",
    AccountKnown: "request_id",
    AccountEndJudged: "request_id",
    TokenRefreshed: "request_id",
    CredentialsJudged: "request_id",
    FamilyEnded: "grant_id",
}
"""Kind of a result -> the field that tells whose it is."""
