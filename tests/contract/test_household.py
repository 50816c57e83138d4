"""The rows of a household, as the playground looks at them, on both databases."""

from dataclasses import replace

import pytest

from shared.storage import household
from shared.storage.household import open_household_rows
from tests.store_samples import ACCOUNT, GRANT, LINK, Stores


async def test_rows_of_one_household_and_no_other(stores: Stores, database_url: str) -> None:
    """Links, grants and what hangs on them; the accounts are everybody's."""
    elsewhere = "Sonos_another"
    async with stores.auth.transaction() as transaction:
        await transaction.upsert_account(ACCOUNT)
        await transaction.insert_link(LINK)
        await transaction.insert_link(replace(LINK, link_id="link-2", household_id=elsewhere))
    async with stores.token.transaction() as transaction:
        await transaction.insert_grant(GRANT)
        await transaction.insert_grant(replace(GRANT, grant_id="grant-2", household_id=elsewhere))
        for name in ("link-1", "link-2", "grant-1.1.1", "grant-2.1.1"):
            await transaction.put_delivery(
                delivery_id=name, service="default", sealed=b"sealed", expires_at=4_000_000_000
            )
    async with open_household_rows(database_url) as household_rows:
        rows = await household_rows.read(LINK.household_id)

    assert {
        ("links", "link-1"),
        ("accounts", "account-1"),
        ("grants", "grant-1"),
        ("deliveries", "link-1"),
        ("deliveries", "grant-1.1.1"),
    } == rows.keys()
    assert ("requested", 1) == (rows["links", "link-1"]["state"], rows["grants", "grant-1"]["generation"])


async def test_rows_of_a_table_are_bounded(
    stores: Stores, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are; the other tables have room of their own."""
    monkeypatch.setattr(household, "MOST_ROWS", 2)
    async with stores.auth.transaction() as transaction:
        await transaction.upsert_account(ACCOUNT)
        for number in range(3):
            await transaction.insert_link(replace(LINK, link_id=f"link-{number}"))
    async with open_household_rows(database_url) as household_rows:
        rows = await household_rows.read(LINK.household_id)

    assert ["accounts", "links", "links"] == sorted(table for table, _ in rows)
