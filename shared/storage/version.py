"""Whether the database has the schema this code was written for."""

import asyncio
import sqlite3

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.storage.base import StoreUnavailable
from shared.storage.engine import open_engine
from shared.storage.failures import sqlite_code, sqlstate
from shared.storage.schema import VERSION
from shared.storage.session import fetch

_REVISION = text("SELECT version_num FROM alembic_version")

_UNDEFINED_TABLE = "42P01"


async def check(engine: AsyncEngine) -> None:
    """Prove that the database answers and was migrated at least as far as this code needs.

    A newer schema is accepted: while an upgrade rolls out, older code works on what `pre_` migrations have added, and a
    `post_` migration is shipped only when no older code is left that needs what it takes away.

    Raises:
        StoreUnavailable: it does not answer, was not migrated, or this role may not read; the message says the way out.
    """
    found = await revision(engine)
    if found is None:
        raise StoreUnavailable("the database has no tables yet: run `latchkey migrate`")
    if found < VERSION:
        raise StoreUnavailable(
            f"the database is at schema {found}, this version needs {VERSION}: run `latchkey migrate`"
        )


def current(database_url: str) -> str | None:
    """Return the last migration the database has seen; None if it has seen none. Not to be called from within a running event loop.

    Raises:
        StoreUnavailable: it does not answer, or this role may not read.
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    return asyncio.run(_current(database_url))


async def _current(url: str) -> str | None:
    async with open_engine(url, application_name="latchkey-migrate", read_only=True, pool_size=1) as engine:
        return await revision(engine)


async def revision(engine: AsyncEngine) -> str | None:
    """Return the last migration the database has seen; None if it has seen none.

    Raises:
        StoreUnavailable: it does not answer, or this role may not read.
    """
    try:
        rows = await fetch(engine, _REVISION)
    except (DBAPIError, StoreUnavailable) as error:
        failure = error if isinstance(error, DBAPIError) else error.__cause__
        if _means_empty(failure):
            return None
        raise
    return rows[0].version_num if rows else None


def _means_empty(failure: BaseException | None) -> bool:
    """Tell whether a table is missing, or the whole file of an SQLite database."""
    return (
        isinstance(failure, FileNotFoundError)
        or sqlstate(failure) == _UNDEFINED_TABLE
        or sqlite_code(failure) == sqlite3.SQLITE_ERROR
    )
