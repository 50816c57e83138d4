"""Migrations: Alembic with its configuration built here, so that an installed wheel needs no alembic.ini.

Revisions are numbered, and named for when they are safe. `pre_` adds: the code of the release before works on. `post_` takes
away what the release before had stopped using. So `latchkey migrate` always comes before the new code is rolled out, while the
old code runs, and always goes to the head. There is no way back but another migration.
"""

import asyncio
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from shared.storage.engine import Timeouts, open_engine, prepare_file
from shared.storage.failures import store_failures

_TIMEOUTS = Timeouts(
    # Building an index on a large table takes its time, while nobody waits for it.
    statement=3600,
    # A migration that waits for a lock makes everybody else wait behind it; better it gives up and is run again.
    lock=5,
    idle_in_transaction=3600,
)

LOCK = 0x6C61746368
"""Key of the advisory lock that a migration of PostgreSQL holds: `latch` in ASCII."""

_one_at_a_time = threading.Lock()
"""Alembic keeps the migration under way in global variables."""


def upgrade(database_url: str, *, to: str = "head") -> None:
    """Bring the database to the schema of this code; makes the file of an SQLite database.

    Everything happens in one transaction; *to* names an earlier revision, for tests. Not to be called from within a running event loop (`asyncio.to_thread` helps).

    Raises:
        StoreUnavailable: it does not answer, or a lock was not to be had: nothing was changed, run it again.
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
            open_engine(url, application_name="latchkey-migrate", pool_size=1, timeouts=_TIMEOUTS) as engine,
            engine.begin() as connection,
        ):
            await connection.run_sync(_run, to)


def _run(connection: Connection, to: str) -> None:
    if connection.dialect.name == "postgresql":
        # Two that migrate at once would both begin from the same revision; the second waits here and finds nothing to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
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
