"""Reads and transactions: one connection at work, whose failures are those of the port."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Executable, Row, Table, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.storage import writes
from shared.storage.base import Conflict
from shared.storage.expressions import now_seconds
from shared.storage.failures import store_failures
from shared.storage.rows import Found, Values

Parameters = Mapping[str, Any]

_NOW = select(now_seconds())


class Session:
    """A transaction under way."""

    def __init__(self, connection: AsyncConnection, now: int) -> None:
        self._connection = connection
        self.now = now
        """The database's time at which the transaction began."""
        self.then: list[Callable[[], None]] = []
        """What is done when all of it is committed."""

    @property
    def dialect(self) -> str:
        """Return `postgresql` or `sqlite`."""
        return self._connection.dialect.name

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[Any]:
        """Run one statement.

        Raises:
            StoreUnavailable: the database does not answer, or not in time.
        """
        with store_failures():
            return await self._connection.execute(statement, parameters)

    async def execute_many(self, statement: Executable, rows: Sequence[Parameters]) -> None:
        """Run one statement for each of several rows, on PostgreSQL in one round trip.

        Raises:
            StoreUnavailable: as above.
        """
        with store_failures():
            await self._connection.execute(statement, list(rows))

    async def first(self, statement: Executable, parameters: Parameters | None = None) -> Found | None:
        """Return the first row of a SELECT from one table, or None."""
        return (await self.execute(statement, parameters)).mappings().first()

    async def insert_new(self, table: Table, values: Values, **looked_up: ColumnElement[Any]) -> bool:
        """Insert a row; False if the table has one with a key of it already.

        It waits for another transaction that is inserting the same key, and does not fail this one: the rest of the
        transaction goes on.

        Args:
            looked_up: columns whose value the database finds, and how.
        """
        statement = writes.insert_new(self.dialect, table)
        if looked_up:
            statement = statement.values(**looked_up)
        return (await self.execute(statement, values)).rowcount == 1

    async def swap(self, table: Table, old: Values, new: Values) -> None:
        """Write what differs between two rows of the same key, where the row still has the version of *old*.

        Raises:
            Conflict: the row has another version, or is gone.
        """
        changed = tuple(name for name, value in new.items() if value != old[name])
        if not changed:
            return
        (key,) = table.primary_key.columns.keys()
        parameters = {f"new_{name}": new[name] for name in changed}
        parameters |= {"old_key": old[key], "old_version": old["version"]}
        if (await self.execute(writes.swap(table, changed), parameters)).rowcount != 1:
            raise Conflict(f"{table.name}: no row of version {old['version']} any more")


@asynccontextmanager
async def begin(engine: AsyncEngine) -> AsyncIterator[Session]:
    """Open a transaction that commits when the block ends without an exception.

    Raises:
        StoreUnavailable: the database does not answer; if that was the commit, it may have happened.
    """
    with store_failures():
        connection, result = await _start(engine, _NOW)
    try:
        session = Session(connection, result.scalar_one())
        yield session
        with store_failures():
            await connection.commit()
        for act in session.then:
            act()
    finally:
        await _give_back(connection)


async def fetch(
    engine: AsyncEngine, statement: Executable, parameters: Parameters | None = None
) -> Sequence[Row[Any]]:
    """Return the rows of one SELECT that is its own transaction.

    Raises:
        StoreUnavailable: the database does not answer, or not in time.
    """
    with store_failures():
        connection, result = await _start(engine, statement, parameters)
    try:
        return result.all()
    finally:
        await _give_back(connection)


_Started = tuple[AsyncConnection, CursorResult[Any]]


async def _start(
    engine: AsyncEngine, statement: Executable, parameters: Parameters | None = None
) -> _Started:
    """Take a connection from the pool and run its first statement; once more if the connection had died in the pool.

    Nothing was done on it yet, so nothing can be done twice.
    """
    try:
        return await _try_start(engine, statement, parameters)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    # Those that are as old as the dead one are replaced by the pool, so this one is new.
    return await _try_start(engine, statement, parameters)


async def _try_start(engine: AsyncEngine, statement: Executable, parameters: Parameters | None) -> _Started:
    connection = await engine.connect()
    try:
        return connection, await connection.execute(statement, parameters)
    except BaseException:
        await _give_back(connection)
        raise


async def _give_back(connection: AsyncConnection) -> None:
    """Give a connection back to the pool, rolled back if it was not committed; the pool drops one that cannot even do that.

    That failure is not told: the reason for the roll-back is, and a server rolls back what has lost its connection.
    """
    with suppress(SQLAlchemyError, OSError):
        await connection.close()
