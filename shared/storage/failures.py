"""The one place that decides which failure means that the database is not there for us now.

Lost connections and time-outs come out of the drivers in many classes (a time-out of asyncpg is a bare `TimeoutError`, a
full pool is SQLAlchemy's own), so the decision rests on SQLSTATE and on SQLite's result code, not on classes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, NotSupportedError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection

from shared.storage import tls
from shared.storage.base import StoreUnavailable

_UNAVAILABLE_STATES = (
    "08",  # connection exceptions
    "26000",  # no such prepared statement: a pooler has given this transaction to another connection
    "25006",  # this server became a standby under us
    "25P03",  # idle in a transaction for too long
    "40001",  # serialization failure
    "40P01",  # deadlock
    "42P05",  # such a prepared statement is there already, and somebody else's, for the same reason
    "53",  # out of connections, memory or disk
    "55P03",  # a lock was not to be had in time
    "57014",  # statement_timeout
    "57P",  # the server is shutting down or starting
    "58",  # the operating system failed the server
)
"""Beginnings of SQLSTATEs after which the same work may well succeed (PostgreSQL manual, appendix A)."""

_INSUFFICIENT_PRIVILEGE = "42501"
_SIGNS_OF_A_POOLER = ("prepared statement", "startup parameter")
_POOLED = "; through PgBouncer it needs database_pgbouncer = true (LATCHKEY_DATABASE_PGBOUNCER)"

_UNAVAILABLE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


@contextmanager
def store_failures() -> Iterator[None]:
    """Turn what keeps the database from answering into `StoreUnavailable`; other errors stay what they are.

    To be put around our own calls of the database alone: a time-out of the caller's is none of ours.
    """
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        if sqlstate(error) == _INSUFFICIENT_PRIVILEGE:
            # An operator mends it, and nothing is lost meanwhile: after a migration rights may come later than the code.
            raise StoreUnavailable(
                f"the database does not let this role do that ({_reason(error)}): apply deploy/postgres/roles.sql again, or, "
                "for a command, use the role that docs/deployment.md names"
            ) from error
        if is_unavailable(error):
            raise StoreUnavailable(f"the database does not answer: {_reason(error)}") from error
        raise


def is_unavailable(error: SQLAlchemyError | OSError) -> bool:
    """Tell whether *error* says something about the database's state, not about what was asked of it."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError | PoolTimeoutError)
    # Without a statement it was the connecting, the commit or the roll-back that failed.
    if error.connection_invalidated or error.statement is None:
        return True
    # asyncpg's word for a statement prepared before a migration; prepared again it works.
    if isinstance(error, NotSupportedError):
        return True
    return sqlstate(error).startswith(_UNAVAILABLE_STATES) or sqlite_code(error) in _UNAVAILABLE_CODES


def sqlstate(error: BaseException | None) -> str:
    """Return PostgreSQL's five characters for what went wrong; empty for all else."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def sqlite_code(error: BaseException | None) -> int:
    """Return SQLite's primary result code for what went wrong; 0 for all else."""
    # The low byte is the primary code, the others say it in more detail (sqlite.org/rescode.html).
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF


def replace_silent_connections(engine: AsyncEngine) -> None:
    """After an answer that never came, let the pool replace the others of the same age, whose sockets may be as dead."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def _drop(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, TimeoutError) and context.connection is not None:
            # SQLAlchemy closes this one by itself, but politely, which would wait for the dead socket again.
            driver: Any = context.connection.connection.driver_connection
            driver.terminate()
            context.invalidate_pool_on_disconnect = True


def distrust(engine: AsyncEngine, silent: PoolProxiedConnection) -> None:
    """Do the same for a connection that is used past SQLAlchemy, which cannot see that it fell silent."""
    driver: Any = silent.driver_connection
    driver.terminate()
    engine.sync_engine.pool._invalidate(silent)  # noqa: SLF001 - as SQLAlchemy does for its own; nothing public says so


def is_distrusted(engine: AsyncEngine, held: PoolProxiedConnection) -> bool:
    """Tell whether a connection of the same age as this one has fallen silent."""
    record: Any = held._connection_record  # noqa: SLF001 - the pool asks the same before it hands one out
    return record is None or bool(record.starttime < engine.sync_engine.pool._invalidate_time)  # noqa: SLF001


def _reason(error: SQLAlchemyError | OSError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = (str(cause) or type(cause).__name__) + tls.advice(cause)
    return reason + _POOLED if any(sign in reason for sign in _SIGNS_OF_A_POOLER) else reason
