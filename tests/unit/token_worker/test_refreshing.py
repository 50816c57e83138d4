"""Judging presented tokens: what is told to the service, and what is on record."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from shared import keys
from shared.bus.memory import MemoryBus
from shared.context import SystemClock, SystemRandom
from shared.domain.account import AccountStatus
from shared.domain.grant import Grant, revoke
from shared.messages import RefreshOutcome, TokenRefreshRequested
from shared.settings import load
from shared.storage.base import TokenStore
from shared.storage.records import Holders
from tests.store_samples import ACCOUNT, GRANT
from token_worker.context import TokenContext
from token_worker.minting import Mint
from token_worker.refreshing import Refreshing

DAY = 86_400
NOW = GRANT.issued_at
CURRENT = replace(GRANT, generation=3, seen_generation=3, used_at=NOW, family_started_at=NOW)


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[TokenContext]:
    """What is asked of settings and keys; no store, since judging reads none."""
    made = keys.create(SystemRandom().token_bytes)
    settings = load(
        database_url="sqlite+aiosqlite:///none",
        broker_url="memory://",
        keys_dir=tmp_path,
        public_url="http://127.0.0.1",
        webhook={"url": "https://example.com/hook", "secret": "whsec_" + "c2VjcmV0" * 4},
    )
    async with MemoryBus() as bus:
        yield TokenContext(
            settings=settings,
            bus=bus,
            store=cast("TokenStore", None),
            keys=made.token_worker,
            public_keys=made.public,
            clock=SystemClock(),
            random=SystemRandom(),
            mint=Mint.of(made.token_worker, settings),
        )


def presented(generation: int = 3, family: int = CURRENT.family) -> TokenRefreshRequested:
    return TokenRefreshRequested(
        service="default",
        request_id="r",
        grant_id=CURRENT.grant_id,
        family=family,
        generation=generation,
        expires_at=NOW,
    )


def judged(
    context: TokenContext, grant: Grant, message: TokenRefreshRequested, *, now: int, **account: Any
) -> tuple[RefreshOutcome, Mapping[str, Any]]:
    holders = Holders(now=now, found={grant.grant_id: (grant, replace(ACCOUNT, **account))})
    refreshing = Refreshing(holders, context=context)
    outcome = refreshing.judge(message)
    return outcome, {
        "told": [notice.kind.value for notice in refreshing.changes.notices],
        "recorded": [event.kind for event in refreshing.changes.audits],
        "ended": len(refreshing.ended),
    }


NOTHING = {"told": [], "recorded": [], "ended": 0}


async def test_household_whose_time_is_over_is_told_of(context: TokenContext) -> None:
    """Idle for longer than a grant lives: the person has to sign in again."""
    outcome, rest = judged(context, CURRENT, presented(), now=NOW + 181 * DAY)

    assert RefreshOutcome.REAUTHORIZE is outcome
    assert NOTHING | {"told": ["grant.reauthorization_needed"]} == rest


async def test_theft_is_told_of_and_recorded(context: TokenContext) -> None:
    """An old generation, long after its successor was in use."""
    outcome, rest = judged(context, CURRENT, presented(generation=1), now=NOW + 2 * DAY)

    assert RefreshOutcome.REAUTHORIZE is outcome
    assert {"told": ["token.theft_suspected"], "recorded": ["token.reuse_detected"], "ended": 1} == rest


@pytest.mark.parametrize(
    ("grant", "message", "account"),
    [
        (revoke(CURRENT), presented(), {}),
        (replace(CURRENT, family=9), presented(), {}),
        (CURRENT, presented(), {"status": AccountStatus.DISABLED}),
    ],
    ids=["revoked", "linked again", "account disabled"],
)
async def test_what_was_told_before_is_not_told_again(
    context: TokenContext, grant: Grant, message: TokenRefreshRequested, account: dict[str, Any]
) -> None:
    """What ended the grant has its own notice."""
    assert (RefreshOutcome.REAUTHORIZE, NOTHING) == judged(context, grant, message, now=NOW, **account)


async def test_refresh_is_told_to_nobody(context: TokenContext) -> None:
    """It is what happens every hour."""
    assert (RefreshOutcome.DELIVERED, NOTHING) == judged(context, CURRENT, presented(), now=NOW)
