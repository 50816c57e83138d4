"""Many refreshes in two statements, and in a transaction by SQLAlchemy: the same rows, the same conflicts, the same promises when connections are lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import asyncpg
import pytest

from shared.domain.grant import Grant, GrantStatus
from shared.storage.base import Conflict, StoreUnavailable
from shared.storage.records import AuditEvent, Changes, SealedPair
from tests.store_samples import Stores, cut_connections, insert_grants

MANY = 12


@pytest.fixture
async def grants(stores: Stores) -> list[Grant]:
    """Grants of one account, in as many households."""
    return await insert_grants(stores, MANY)


def _changes(grants: Sequence[Grant]) -> Changes:
    """Each with a next generation, and the last one ended; a delivery for each."""
    rotated = [
        replace(grant, generation=grant.generation + 1 + at, issued_at=at, version=grant.version + 1)
        for at, grant in enumerate(grants)
    ]
    rotated[-1] = replace(rotated[-1], status=GrantStatus.REVOKED)
    pairs = [
        SealedPair(delivery_id=f"d{at}", service="default", sealed=b"%d" % at, expires_at=4_000_000_000)
        for at in range(len(grants))
    ]
    return Changes(swaps=list(zip(grants, rotated, strict=True)), deliveries=pairs)


async def _found(stores: Stores, grants: Sequence[Grant]) -> list[Grant]:
    holders = await stores.token.holders([grant.grant_id for grant in grants])
    return [holders.found[grant.grant_id][0] for grant in grants]


async def _delivered(stores: Stores) -> list[bytes | None]:
    return [await stores.read.delivery(f"d{at}") for at in range(MANY)]


async def test_all_of_it_is_written(stores: Stores, grants: list[Grant]) -> None:
    """Grants, deliveries, and what is recorded; deliveries a second time over the first, and nothing at all is fine, too."""
    changes = _changes(grants)
    await stores.token.write(changes)
    again = [replace(pair, sealed=b"again") for pair in changes.deliveries[:3]]
    await stores.token.write(Changes(deliveries=again))
    await stores.token.write(Changes())
    await stores.token.write(
        Changes(audits=[AuditEvent(kind="token.reuse_detected", service="default", account_id="a")])
    )
    holders = await stores.token.holders(["g0", "nobody"])

    assert [new for _, new in changes.swaps] == await _found(stores, grants)
    assert [b"again"] * 3 + [b"%d" % at for at in range(3, MANY)] == await _delivered(stores)
    assert ["g0"] == list(holders.found)
    assert holders.now > 1_700_000_000
    assert ["token.reuse_detected"] == [event.kind for event in await stores.read.events("a", limit=9)]


@pytest.mark.parametrize("stale", [0, MANY - 1])
async def test_one_that_somebody_changed_first_fails_all(
    stores: Stores, grants: list[Grant], stale: int
) -> None:
    """Nothing of it is kept, and the connection goes on."""
    async with stores.token.transaction() as transaction:
        await transaction.swap_grant(grants[stale], replace(grants[stale], version=2))
    with pytest.raises(Conflict):
        await stores.token.write(_changes(grants))

    assert {1} == {grant.generation for grant in await _found(stores, grants)}
    assert {None} == set(await _delivered(stores))


async def test_several_at_the_same_time(stores: Stores, grants: list[Grant]) -> None:
    """Each has its own answer; of two that change the same grant one is told of the conflict."""
    changes = _changes(grants)
    parts = [Changes(swaps=[swap]) for swap in changes.swaps]
    outcomes = await asyncio.gather(
        *(stores.token.write(part) for part in [*parts, parts[0]]),
        *(_found(stores, [grant]) for grant in grants),
        return_exceptions=True,
    )

    assert 1 == sum(isinstance(outcome, Conflict) for outcome in outcomes)
    assert 1 == sum(isinstance(outcome, BaseException) for outcome in outcomes)
    assert [new for _, new in changes.swaps] == await _found(stores, grants)


async def test_a_caller_that_goes_away(stores: Stores, grants: list[Grant]) -> None:
    """What it wanted is written whole or not at all, and the next one is served."""
    changes = _changes(grants)
    caller = asyncio.create_task(stores.token.write(changes))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    found = await _found(stores, grants)

    assert found in ([old for old, _ in changes.swaps], [new for _, new in changes.swaps])


async def test_a_connection_that_is_cut_between_batches(
    stores: Stores, grants: list[Grant], postgres_url: str
) -> None:
    """Nobody notices."""
    await _found(stores, grants)
    await cut_connections(postgres_url)
    changes = _changes(grants)
    await stores.token.write(changes)

    assert [new for _, new in changes.swaps] == await _found(stores, grants)


async def test_a_connection_that_is_cut_in_the_middle_of_a_batch(
    stores: Stores, grants: list[Grant], postgres_url: str
) -> None:
    """While a lock holds the batch up, its connection dies: all of it is written, or its caller hears that it may not be."""
    changes = _changes(grants)
    locker = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    transaction = locker.transaction()
    await transaction.start()
    await locker.execute("SELECT 1 FROM grants WHERE grant_id = 'g5' FOR UPDATE")
    writing = asyncio.create_task(stores.token.write(changes))
    async with asyncio.timeout(30):
        while not await cut_connections(postgres_url, "AND wait_event_type = 'Lock'"):
            assert not writing.done()
    await transaction.rollback()
    await locker.close()
    (outcome,) = await asyncio.gather(writing, return_exceptions=True)
    expected = (
        [old for old, _ in changes.swaps]
        if isinstance(outcome, StoreUnavailable)
        else [new for _, new in changes.swaps]
    )

    assert isinstance(outcome, StoreUnavailable | None)
    assert expected == await _found(stores, grants)
