"""Migrations: Alembic with its configuration built here, so that an installed wheel needs no alembic.ini.

Revisions are numbered, and named for when they are safe. `pre_` adds: the code of the release before works on. `post_` takes
away what the release before had stopped using. So `latchkey migrate` always comes before the new code is rolled out, while the
old code runs, and always goes to the head. There is no way back but another migration.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.storage.engine import Timeouts, open_engine, prepare_file
from shared.storage.failures import store_failures

_TIMEOUTS = Timeouts(
    # Building an index on a large table takes its time, while nobody waits for it.
    statement=3600,
    # A migration that waits for a lock makes everybody else wait behind it; better it gives up and is run again. After one second
    # PostgreSQL takes the lock away from an autovacuum.
    lock=2,
    idle_in_transaction=3600,
)

LOCK = 0x6C61746368
"""Key of the advisory lock that a migration of PostgreSQL holds: `latch` in ASCII."""

_TRY_SECONDS = 0.2

_one_at_a_time = threading.Lock()
"""Alembic keeps the migration under way in global variables."""


def upgrade(database_url: str, *, to: str = "head") -> None:
    """Bring the database to the schema of this code; makes the file of an SQLite database.

    On SQLite everything happens in one transaction, on PostgreSQL each migration in its own, so that no lock is held for long.
    *to* names an earlier revision, for tests. Not to be called from within a running event loop (`asyncio.to_thread` helps).

    Raises:
        StoreUnavailable: it does not answer, or a lock was not to be had: what is done stays, run it again for the rest.
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    with store_failures():
        prepare_file(database_url)
    with _one_at_a_time:
        asyncio.run(_upgrade(database_url, to))


def head() -> str:
    """Return the revision this code brings a database to."""
    last = ScriptDirectory.from_config(_config()).get_current_head()
    assert last is not None, "the migrations are part of the package"
    return last


async def _upgrade(url: str, to: str) -> None:
    with store_failures():
        async with (
            open_engine(url, application_name="latchkey-migrate", pool_size=2, timeouts=_TIMEOUTS) as engine,
            _alone(engine) as connection,
        ):
            await connection.run_sync(_run, to)


@asynccontextmanager
async def _alone(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open the connection to migrate on, when no other process migrates."""
    if engine.dialect.name == "sqlite":
        async with engine.begin() as connection:
            yield connection
        return
    async with engine.connect() as guard, engine.connect() as connection:
        # Two that migrate at once would both begin from the same revision; the second finds nothing to do. An index that is built
        # concurrently waits for every statement and transaction that began earlier: so whoever waits here asks again and again, and
        # the lock belongs to the session, which ends with the engine.
        await guard.execution_options(isolation_level="AUTOCOMMIT")
        while not await guard.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}):  # noqa: ASYNC110 - see above
            await asyncio.sleep(_TRY_SECONDS)
        yield connection


def _run(connection: Connection, to: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _config() -> Config:
    config = Config()
    # Alembic interpolates, so a percent sign in the path has to be doubled.
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    return config
