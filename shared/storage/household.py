"""Every row that has to do with one household, as it stands in its table: for the playground, which shows what changes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import ColumnElement, Table, or_, select, true
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.storage.engine import open_engine
from shared.storage.failures import store_failures
from shared.storage.schema import accounts, audit_events, deliveries, grants, links, login_attempts

Row = Mapping[str, object]
Rows = dict[tuple[str, str], Row]
"""Table and primary key -> the row's columns, in the table's order."""

MOST_ROWS = 1000
"""Of a table; a household that is played with for a while has some ten, beside all accounts."""


class HouseholdRows:
    """Reads rows by household; nothing is decided by what it reads."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, household_id: str) -> Rows:
        """Return the rows of a household: its links and grants, and what hangs on them.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        found: Rows = {}
        with store_failures():
            async with self._engine.connect() as connection:
                for table, condition in _conditions(household_id):
                    key = next(iter(table.primary_key)).name
                    result = await connection.execute(select(table).where(condition).limit(MOST_ROWS))
                    for row in result.mappings():
                        found[table.name, str(row[key])] = dict(row)
        return found


@asynccontextmanager
async def open_household_rows(url: str) -> AsyncIterator[HouseholdRows]:
    """Open a read-only connection of its own.

    Raises:
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    async with open_engine(
        url, application_name="latchkey-playground", read_only=True, pool_size=1
    ) as engine:
        yield HouseholdRows(engine)


def _conditions(household_id: str) -> tuple[tuple[Table, ColumnElement[bool]], ...]:
    of_links = select(links.c.link_id).where(links.c.household_id == household_id)
    own = grants.c.household_id == household_id
    # A refresh's delivery is named GRANT.FAMILY.GENERATION.
    refreshed = select(grants.c.grant_id).where(own, deliveries.c.delivery_id.startswith(grants.c.grant_id))
    return (
        (links, links.c.household_id == household_id),
        (login_attempts, login_attempts.c.link_id.in_(of_links)),
        # All of them: only so can one that is new be told from one that was there.
        (accounts, true()),
        (grants, own),
        (deliveries, or_(deliveries.c.delivery_id.in_(of_links), refreshed.exists())),
        (audit_events, audit_events.c.household_id == household_id),
    )
