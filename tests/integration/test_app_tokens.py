"""Published keys over real HTTP: asked for when needed, never more often than the issuer can bear."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from auth_worker.app_tokens import (
    KEYS_AT_MOST_EVERY,
    KEYS_SECONDS,
    LONGEST_SUBJECT,
    AppTokens,
    open_app_tokens,
)
from auth_worker.providers.web import ProviderUnavailable
from shared.domain.errors import SignInRefused
from shared.settings import AppSettings, JwksSettings, ServiceSettings
from tests.play.issuer import AUDIENCE, Issuer, running_issuer


class HandClock:
    """A clock whose durations a test makes."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> int:
        return int(time.time())

    def monotonic(self) -> float:
        return self.passed


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@asynccontextmanager
async def verifying(issuer: Issuer, clock: HandClock) -> AsyncIterator[AppTokens]:
    jwks = JwksSettings(url=f"{issuer.url}/jwks", issuer=issuer.url, audience=AUDIENCE)
    async with open_app_tokens({"default": ServiceSettings(app=AppSettings(jwks=jwks))}, clock) as opened:
        yield opened["default"]


async def test_many_tokens_ask_for_the_keys_once(issuer: Issuer) -> None:
    """Also when they come at the same time, before there are any keys."""
    async with verifying(issuer, HandClock()) as tokens:
        people = await asyncio.gather(*(tokens.identity(issuer.token(f"person-{n}")) for n in range(20)))

    assert {f"person-{n}" for n in range(20)} == {person.subject for person in people}
    assert 1 == issuer.asked["jwks"]


async def test_new_key_is_asked_for_but_not_for_every_token(issuer: Issuer) -> None:
    """A key nobody knows of says nothing about the person until the issuer was asked again; then it does."""
    clock = HandClock()
    async with verifying(issuer, clock) as tokens:
        await tokens.identity(issuer.token("ann"))
        old = issuer.token("ann")
        issuer.rotate()
        new = issuer.token("ann", key="key-2")
        for _ in range(3):
            with pytest.raises(ProviderUnavailable, match="a moment ago"):
                await tokens.identity(new)
        asked_meanwhile = issuer.asked["jwks"]
        clock.passed += KEYS_AT_MOST_EVERY + 1
        person = await tokens.identity(new)
        clock.passed += KEYS_AT_MOST_EVERY + 1
        with pytest.raises(SignInRefused):
            await tokens.identity(old)

    assert (1, "ann", 3) == (asked_meanwhile, person.subject, issuer.asked["jwks"])


async def test_keys_are_believed_for_a_while(issuer: Issuer) -> None:
    """An outage of the issuer is not noticed at once, and never refuses anybody."""
    clock = HandClock()
    async with verifying(issuer, clock) as tokens:
        await tokens.identity(issuer.token("ann"))
        issuer.down = True
        clock.passed += KEYS_SECONDS
        person = await tokens.identity(issuer.token("bob"))
        clock.passed += 1
        with pytest.raises(ProviderUnavailable):
            await tokens.identity(issuer.token("bob"))

    assert "bob" == person.subject


async def test_subject_has_a_limit(issuer: Issuer) -> None:
    """A token that names somebody at greater length names nobody."""
    longest = "s" * LONGEST_SUBJECT
    async with verifying(issuer, HandClock()) as tokens:
        person = await tokens.identity(issuer.token(longest))
        with pytest.raises(SignInRefused, match="names nobody"):
            await tokens.identity(issuer.token(f"{longest}s"))

    assert longest == person.subject
