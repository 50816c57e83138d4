"""Revocation on a real store: bounded pages, resumed after a crash, repeated without harm."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.domain.grant import GrantStatus
from shared.domain.revocation import Limits, Scope, Selection
from shared.storage.base import TokenStore
from tests.play.database import execute
from tests.store_samples import GRANT, Stores, insert_grant, open_stores
from token_worker.revocation import end_all, end_page

EVERYTHING = Selection(service="default", scope=Scope.ALL)
NO_LIMITS = Limits()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the whole schema and no rows."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[Stores]:
    """The stores of that database, with five grants of one account."""
    async with open_stores(database_url) as stores:
        for number in range(5):
            await insert_grant(stores, replace(GRANT, grant_id=f"g{number}", household_id=f"h{number}"))
        yield stores


async def revoked(stores: Stores) -> list[str]:
    views = await stores.read.grants(EVERYTHING, limit=10)
    return [view.grant.grant_id for view in views if view.grant.status is GrantStatus.REVOKED]


async def pages(store: TokenStore, after: str = "") -> list[tuple[int, str | None]]:
    """End page after page, as the chain of events does."""
    ended = await end_page(
        store, EVERYTHING, NO_LIMITS, reason="test", notices_kept=None, after=after, page=2
    )
    rest = await pages(store, ended.next_after) if ended.next_after else []
    return [(ended.newly, ended.next_after), *rest]


async def test_pages_end_all_and_then_stop(stores: Stores) -> None:
    """Two, two and one; and each is audited."""
    assert [(2, "g1"), (2, "g3"), (1, None)] == await pages(stores.token)
    assert ["g0", "g1", "g2", "g3", "g4"] == await revoked(stores)


async def test_repeated_page_tells_again_and_changes_nothing(stores: Stores, database_url: str) -> None:
    """After a crash between the commit and the events, the same grants are told of; nothing is audited twice."""
    first, again = [
        await end_page(stores.token, EVERYTHING, NO_LIMITS, reason="test", notices_kept=None, page=2)
        for _ in range(2)
    ]
    audited = await execute(database_url, "SELECT count(*) FROM audit_events")

    assert ["g0", "g1"] == [grant.grant_id for grant in again.grants]
    assert (2, 0) == (first.newly, again.newly)
    assert [(2,)] == audited


async def test_what_began_later_is_spared(stores: Stores) -> None:
    """A household that has linked again since the order was given keeps its link."""
    async with stores.token.transaction() as transaction:
        grant = await transaction.grant("g3")
        assert grant is not None
        later = replace(grant, family=2, family_started_at=grant.family_started_at + 1, version=2)
        await transaction.swap_grant(grant, later)
    limits = Limits(started_by=GRANT.family_started_at)
    count = await end_all(stores.token, EVERYTHING, limits, reason="test", notices_kept=None)

    assert 4 == count
    assert "g3" not in await revoked(stores)


async def test_later_family_is_spared(stores: Stores) -> None:
    """A token of an earlier family cannot end the present one."""
    one = Selection(service="default", scope=Scope.GRANT, value="g0")
    counts = [
        await end_all(stores.token, one, Limits(family=family), reason="test", notices_kept=None)
        for family in (0, 1)
    ]

    assert [0, 1] == counts
