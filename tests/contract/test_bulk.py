"""Many rows in one statement and one by one: the same rows in the end, and the same conflicts."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.domain.account import Account, AccountStatus
from shared.domain.grant import Grant
from shared.storage.base import Conflict
from shared.storage.records import SealedPair
from tests.store_samples import Stores, insert_grants

MANY = 12
WAYS = ["together", "one by one"]


@pytest.fixture
async def grants(stores: Stores) -> list[Grant]:
    """Grants of one account, in as many households."""
    return await insert_grants(stores, MANY)


def _rotated(grants: Sequence[Grant]) -> list[tuple[Grant, Grant]]:
    """Every other grant with a next generation, and one of those with another end."""
    swaps = [
        (grant, replace(grant, generation=grant.generation + 1 + at, version=grant.version + 1))
        for at, grant in enumerate(grants)
        if at % 2
    ]
    old, new = swaps[-1]
    return [*swaps[:-1], (old, replace(new, expires_at=new.expires_at + 7)), (grants[0], grants[0])]


@pytest.mark.parametrize("way", WAYS)
async def test_swaps(stores: Stores, grants: list[Grant], way: str) -> None:
    """What changed is written, and nothing else."""
    swaps = _rotated(grants)
    async with stores.token.transaction() as transaction:
        if way == "together":
            await transaction.swap_grants(swaps)
        else:
            for old, new in swaps:
                await transaction.swap_grant(old, new)
    holders = (await stores.token.holders([*(grant.grant_id for grant in grants), "nobody"])).found

    expected = {grant.grant_id: grant for grant in grants} | {new.grant_id: new for _, new in swaps}
    assert expected == {grant_id: grant for grant_id, (grant, _) in holders.items()}
    assert {AccountStatus.ACTIVE} == {account.status for _, account in holders.values()}
    assert all(isinstance(account, Account) for _, account in holders.values())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stale", [0, MANY - 1])
async def test_conflict(stores: Stores, grants: list[Grant], way: str, stale: int) -> None:
    """One row that somebody changed first fails all, and nothing of it is kept."""
    async with stores.token.transaction() as transaction:
        await transaction.swap_grant(grants[stale], replace(grants[stale], version=2))
    swaps = [(grant, replace(grant, generation=9, version=grant.version + 1)) for grant in grants]

    async def swap() -> None:
        async with stores.token.transaction() as transaction:
            if way == "together":
                await transaction.swap_grants(swaps)
                return
            for old, new in swaps:
                await transaction.swap_grant(old, new)

    with pytest.raises(Conflict):
        await swap()
    holders = (await stores.token.holders([grant.grant_id for grant in grants])).found

    assert 9 not in {grant.generation for grant, _ in holders.values()}


async def test_deliveries(stores: Stores) -> None:
    """New ones, one over an earlier one, and one that comes twice; none at all is fine, too."""
    async with stores.token.transaction() as transaction:
        await transaction.put_deliveries([])
        later = transaction.now + 60
        first = [
            SealedPair(delivery_id=f"d{number}", service="default", sealed=b"%d" % number, expires_at=later)
            for number in range(4)
        ]
        await transaction.put_deliveries(first)
        await transaction.put_deliveries(
            [
                replace(first[1], sealed=b"early"),
                replace(first[2], sealed=b"new"),
                replace(first[1], sealed=b"late"),
            ]
        )
    found = [await stores.read.delivery(f"d{number}") for number in range(5)]

    assert [b"0", b"late", b"new", b"3", None] == found
