"""Engines: how this project talks to SQLite and to PostgreSQL, and how long it waits for them."""

import asyncio
import errno
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from shared.storage import tls
from shared.storage.failures import replace_silent_connections
from shared.storage.threads import ConnectionThreads

RECYCLE = 1800
"""Seconds after which a connection is replaced, so that a moved server or a changed role setting is noticed."""


_GOODBYE = 1
"""Seconds for a connection to be closed in good order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the database may take; seconds. After each of them the store is unavailable, and nobody waits for ever."""

    connect: float = 5
    statement: float = 5
    """What the server allows itself for an answer."""
    network: float = 1
    """What question and answer may take on their way, on top; then the connection is taken for dead."""
    lock: float = 2
    """Waiting for another transaction's lock; on SQLite, for the one writer."""
    idle_in_transaction: float = 15
    """After which PostgreSQL ends a transaction whose worker says nothing any more."""
    pool: float = 5
    """Waiting for one of our own connections."""


DEFAULT_TIMEOUTS = Timeouts()


@asynccontextmanager
async def open_engine(
    url: str,
    *,
    application_name: str,
    read_only: bool = False,
    pool_size: int = 5,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    pgbouncer: bool = False,
) -> AsyncIterator[AsyncEngine]:
    """Open a pool of connections, and close it in the end; connects only when it is first used.

    Args:
        url: `postgresql+asyncpg://...`, with libpq's parameters for TLS (docs/tls.md), or `sqlite+aiosqlite:///...` with the path of a
            file.
        application_name: how PostgreSQL names these connections in its views and logs.
        read_only: let the database itself refuse every write, and let each statement be its own transaction.
        pool_size: the most connections; there is no overflow. SQLite has one writer, so a writing engine has one.
        pgbouncer: each transaction may be on another of the server's connections, so that none of them can be told anything
            for later. What the server itself limits comes from the role then (`deploy/postgres/roles.sql`).

    Raises:
        ValueError: another database, or none.
    """
    threads = ConnectionThreads()
    if (parsed := _parse(url)).drivername == "sqlite+aiosqlite":
        engine = _sqlite(parsed, threads, read_only=read_only, pool_size=pool_size, timeouts=timeouts)
    else:
        settings = {} if pgbouncer else _server_settings(timeouts, read_only=read_only)
        settings |= {"application_name": application_name}
        engine = _postgresql(parsed, settings, read_only=read_only, pool_size=pool_size, timeouts=timeouts)
        if pgbouncer:
            _prepare_nothing(engine)
    replace_silent_connections(engine)
    try:
        yield engine
    finally:
        await _close(engine, pool_size)
        await threads.join(seconds=_GOODBYE)


async def _close(engine: AsyncEngine, pool_size: int) -> None:
    """Close the pool's connections; a server that has gone silent may keep each from its good-bye for a second only."""
    for _ in range(pool_size):
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await engine.dispose()
                return


def prepare_file(url: str) -> None:
    """Make sure that an SQLite database has its file, for its owner alone, and readers do not wait for its writer.

    SQLite would make the file with the umask's permissions; it gives its side files those of the main file.
    """
    if (path := sqlite_path(url)) is None:
        return
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, mode=0o600))
    # The mode stays with the file. Of two that set it at once one may fail, which is as good: the other does it.
    with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite database; None for PostgreSQL.

    Raises:
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    parsed = _parse(url)
    return _path(parsed) if parsed.drivername == "sqlite+aiosqlite" else None


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = make_url("none://")
    if parsed.drivername not in {"postgresql+asyncpg", "sqlite+aiosqlite"}:
        # The URL itself stays out of the message: it may hold a password.
        raise ValueError("the database URL must begin with postgresql+asyncpg:// or sqlite+aiosqlite:///")
    return parsed


def _path(url: URL) -> Path:
    if url.database in {None, "", ":memory:"}:
        raise ValueError("the SQLite database must be a file, since several connections share it")
    return Path(str(url.database)).absolute()


def _sqlite(
    url: URL, threads: ConnectionThreads, *, read_only: bool, pool_size: int, timeouts: Timeouts
) -> AsyncEngine:
    path = _path(url)
    mode = "ro" if read_only else "rw"
    engine = create_async_engine(
        URL.create(url.drivername, database=path.as_uri(), query={"mode": mode, "uri": "true"}),
        # No transactions by the driver's own mind: each statement is one, or we say BEGIN below.
        connect_args={
            "isolation_level": None,
            "timeout": timeouts.lock,
            "async_creator_fn": threads.connect,
        },
        pool_size=pool_size if read_only else 1,
        max_overflow=0,
        pool_timeout=timeouts.pool,
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def _look(*_arguments: object) -> None:
        # Only `prepare_file` makes files; SQLite would say no more than that it cannot open this one.
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "no such database", str(path))

    if not read_only:
        _make_writer(engine)
    return engine


def _make_writer(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        # NORMAL may forget the last commits when the power fails, and a household that was told "linked" would not be.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and asks for the writer's place later is refused at once, however long it would
        # wait, when another one wrote in between; so every one asks at its beginning, and waits in line.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _server_settings(timeouts: Timeouts, *, read_only: bool) -> dict[str, str]:
    settings = {
        "statement_timeout": _milliseconds(timeouts.statement),
        "lock_timeout": _milliseconds(timeouts.lock),
        "idle_in_transaction_session_timeout": _milliseconds(timeouts.idle_in_transaction),
    }
    if read_only:
        # On top of the role's rights, so that an installation with one role for everything keeps the promise too.
        settings["default_transaction_read_only"] = "on"
        # Every statement looks up keys. Left alone, PostgreSQL plans the gathered ones anew each time, for twice the cost.
        settings["plan_cache_mode"] = "force_generic_plan"
    return settings


def _prepare_nothing(engine: AsyncEngine) -> None:
    """Send every statement whole: one that was prepared before may be on a connection that somebody else has now."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def _without_caches(
        _dialect: object, _entry: object, _arguments: object, options: dict[str, Any]
    ) -> None:
        options |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}


def _postgresql(
    url: URL, settings: dict[str, str], *, read_only: bool, pool_size: int, timeouts: Timeouts
) -> AsyncEngine:
    options: dict[str, Any] = {}
    if read_only:
        # Neither BEGIN nor COMMIT around a single SELECT, nor anything to undo before the next one.
        options = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
    address, secured = tls.split(url)
    # No pre-ping: it doubles the round trips of a read, and the first statement on a connection is repeated when the
    # connection turns out to be gone, which is the same cure for nothing.
    return create_async_engine(
        address,
        connect_args={
            **secured,
            "timeout": timeouts.connect,
            # Later than the server's own limit, whose error leaves the connection intact: this one is for dead sockets.
            "command_timeout": timeouts.statement + timeouts.network,
            "server_settings": settings,
        },
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=timeouts.pool,
        pool_recycle=RECYCLE,
        hide_parameters=True,
        **options,
    )


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
