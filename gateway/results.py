"""Waits for what the workers tell: "link X changed", "token Y refreshed".

Best effort by design: who waits in vain reads the row.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
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
        self._waiting: dict[Hashable, set[Expectation]] = defaultdict(set)

    @contextmanager
    def expect(self, key: Hashable) -> Iterator[Expectation]:
        """Start waiting *before* asking, so that the answer cannot come too early."""
        expectation = Expectation()
        self._waiting[key].add(expectation)
        try:
            yield expectation
        finally:
            self._waiting[key].discard(expectation)
            if not self._waiting[key]:
                del self._waiting[key]

    def receive(self, event: Event) -> None:
        """Wake whoever waits for this event."""
        key = _KEYS[type(event)](event)
        for expectation in tuple(self._waiting.get(key, ())):
            expectation.fulfil(event)


def link_key(link_id: str) -> Hashable:
    """Return what a change of a link is awaited under."""
    return ("link", link_id)


def visit_key(visit_hash: str) -> Hashable:
    """Return what the judgement, or the end, of a visit is awaited under."""
    return ("visit", visit_hash)


def entry_key(entry_id: str) -> Hashable:
    """Return what the judgement of a typed code is awaited under."""
    return ("entry", entry_id)


def account_key(request_id: str) -> Hashable:
    """Return what a vouched account is awaited under."""
    return ("account", request_id)


def end_key(request_id: str) -> Hashable:
    """Return what the judgement of an account's end is awaited under."""
    return ("end", request_id)


def refresh_key(request_id: str) -> Hashable:
    """Return what the judgement of a presented token is awaited under."""
    return ("refresh", request_id)


def family_key(grant_id: str) -> Hashable:
    """Return what the end of a grant's family is awaited under."""
    return ("family", grant_id)


def judged_key(request_id: str) -> Hashable:
    """Return what the judgement of credentials of the old kinds is awaited under."""
    return ("judged", request_id)


def _link_key_of(event: Event) -> Hashable:
    assert isinstance(event, LinkChanged)
    return link_key(event.link_id)


def _visit_key_of(event: Event) -> Hashable:
    assert isinstance(event, VisitChanged)
    return visit_key(event.visit_hash)


def _entry_key_of(event: Event) -> Hashable:
    assert isinstance(event, CodeJudged)
    return entry_key(event.entry_id)


def _account_key_of(event: Event) -> Hashable:
    assert isinstance(event, AccountKnown)
    return account_key(event.request_id)


def _end_key_of(event: Event) -> Hashable:
    assert isinstance(event, AccountEndJudged)
    return end_key(event.request_id)


def _refresh_key_of(event: Event) -> Hashable:
    assert isinstance(event, TokenRefreshed)
    return refresh_key(event.request_id)


def _judged_key_of(event: Event) -> Hashable:
    assert isinstance(event, CredentialsJudged)
    return judged_key(event.request_id)


def _family_key_of(event: Event) -> Hashable:
    assert isinstance(event, FamilyEnded)
    return family_key(event.grant_id)


_KEYS: dict[type[Event], Callable[[Event], Hashable]] = {
    LinkChanged: _link_key_of,
    VisitChanged: _visit_key_of,
    CodeJudged: _entry_key_of,
    AccountKnown: _account_key_of,
    AccountEndJudged: _end_key_of,
    TokenRefreshed: _refresh_key_of,
    CredentialsJudged: _judged_key_of,
    FamilyEnded: _family_key_of,
}
