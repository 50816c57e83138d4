"""Statements on a connection of their own, past SQLAlchemy: the short way beside `session`, on PostgreSQL alone.

SQLAlchemy takes 170 to 260 µs for a statement and 5 µs for a row; asyncpg itself 40 µs and 1 µs. What is asked in herds comes one flight at
a time (`gathering`, `shared.merging`), so one connection per question is enough. It comes from the engine's pool, with all its settings, and is not
given back. A connection that fails is dropped, and the question is asked again the plain way, which decides what the failure means.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection

from shared.storage.base import StoreUnavailable
from shared.storage.engine import RECYCLE
from shared.storage.failures import distrust, is_distrusted, store_failures
from shared.storage.session import fetch

Rows = Sequence[Row[Any]] | Sequence[asyncpg.Record]
"""Rows whose columns are counted from 0, in the order of the statement."""


class AskPlainly(Exception):
    """Not to be had the short way now; what was asked may have been done."""


class Held:
    """A connection that is kept; each statement on it is a transaction of its own."""

    def __init__(self, engine: AsyncEngine, *, setting: str = "") -> None:
        """Take the engine that gives the connection, and a statement to begin with."""
        self._engine = engine
        self._setting = setting
        self._connection: PoolProxiedConnection | None = None
        self._since = 0.0
        self._busy = False

    async def fetch(self, sql: str, *parameters: object) -> Sequence[asyncpg.Record]:
        """Return the rows of one statement.

        Raises:
            AskPlainly: the connection is gone, or at work for somebody else.
            StoreUnavailable: no answer in time.
            asyncpg.DataError: the statement itself refused these parameters.
        """
        if self._busy or self._engine.dialect.name != "postgresql":
            raise AskPlainly
        self._busy = True
        try:
            return await self._fetch(sql, parameters)
        except (TimeoutError, asyncpg.QueryCanceledError) as error:
            # Asked again, whoever waits would wait twice as long.
            raise StoreUnavailable(f"the database does not answer: {error or 'in time'}") from error
        except asyncpg.DataError:
            raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            self.close()
            raise AskPlainly from error
        finally:
            self._busy = False

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()

    async def _fetch(self, sql: str, parameters: Sequence[object]) -> Sequence[asyncpg.Record]:
        held = await self._open()
        driver: Any = held.driver_connection
        try:
            rows: Sequence[asyncpg.Record] = await driver.fetch(sql, *parameters)
        except TimeoutError:
            distrust(self._engine, held)
            self._connection = None
            raise
        except asyncio.CancelledError:
            self.close()
            raise
        return rows

    async def _open(self) -> PoolProxiedConnection:
        if self._connection is not None and (
            time.monotonic() - self._since > RECYCLE or is_distrusted(self._engine, self._connection)
        ):
            self.close()
        if self._connection is None:
            try:
                with store_failures():
                    self._connection = await self._engine.raw_connection()
            except self._engine.dialect.loaded_dbapi.Error as error:
                # A server that is there and takes nobody, as while it recovers from a crash: this far down, SQLAlchemy hands on
                # what its driver says as it is.
                raise StoreUnavailable(f"the database does not answer: {error}") from error
            self._since = time.monotonic()
            if self._setting:
                await self._fetch(self._setting, ())
        return self._connection


class Keyed:
    """One question, asked for many keys at a time."""

    def __init__(self, engine: AsyncEngine, statement: Any, held: Held | None = None) -> None:
        """Take a SELECT with one parameter, `ids`, of type `Keys`, and the connection to ask on, if there is one already."""
        self._engine = engine
        self._statement: Executable = statement
        self._sql = str(statement.compile(dialect=engine.dialect))
        self.held = held or Held(engine)

    async def ask(self, keys: Sequence[str]) -> Rows:
        """Return the rows for these keys.

        Raises:
            StoreUnavailable: the database does not answer, or not in time.
        """
        try:
            return await self.held.fetch(self._sql, keys)
        except (AskPlainly, asyncpg.DataError):
            return await fetch(self._engine, self._statement, {"ids": keys})

    def close(self) -> None:
        """Drop the connection."""
        self.held.close()
