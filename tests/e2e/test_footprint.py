"""What a linked household leaves in the database after a year: a few rows, however often it refreshed."""

import asyncio
from pathlib import Path

from shared.storage.schema import metadata
from tests.e2e.conftest import started
from tests.e2e.test_link import link_household
from tests.play.database import execute
from tests.play.operator import PATIENCE
from tests.play.person import Person
from tests.play.sonos import Sonos, pair_of

YEAR = 366 * 86400
REFRESHES = 5
ENDS = [
    table.name for table in metadata.sorted_tables if "expires_at" in table.columns and table.name != "grants"
]
"""Tables whose rows are over some day; that of a grant is its token's."""


async def test_a_household_leaves_a_few_rows(sqlite_url: str, tmp_path: Path, person: Person) -> None:
    """Account, grant and its origin stay, and the audit log of the link; refreshes add nothing, and what was needed to link is gone."""
    async with started(tmp_path, sqlite_url, LATCHKEY_RETENTION__INTERVAL="1") as system:
        sonos = Sonos(person.http, system.endpoint)
        pair = await link_household(sonos, person)
        for _ in range(REFRESHES):
            pair = pair_of(await sonos.call("refreshAuthToken", pair=pair))
        for table in ENDS:
            await execute(sqlite_url, f"UPDATE {table} SET expires_at = expires_at - {YEAR}")
        async with asyncio.timeout(PATIENCE):
            while any([await execute(sqlite_url, f"SELECT 1 FROM {table}") for table in ENDS]):
                await asyncio.sleep(0.05)
        left = {
            table.name: len(await execute(sqlite_url, f"SELECT 1 FROM {table.name}"))
            for table in metadata.sorted_tables
        }

    assert {"accounts": 1, "local_users": 1, "grants": 1, "grant_origins": 1, "audit_events": 3} == {
        name: rows for name, rows in left.items() if rows
    }
