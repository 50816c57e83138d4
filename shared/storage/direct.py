"""Look-ups by keys on a connection of their own, past SQLAlchemy: the short way beside `session.fetch`, on PostgreSQL alone.

SQLAlchemy takes 170 to 260 µs for a statement and 5 µs for a row; asyncpg itself 40 µs and 1 µs. What the gateway asks comes one flight at
a time (`gathering`), so one connection per question is enough. It comes from the engine's pool, with all its settings, and is not given back.
A connection that fails is dropped, and the question is asked again the plain way, which decides what the failure means.
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


class Keyed:
    """One question, asked for many keys at a time."""

    def __init__(self, engine: AsyncEngine, statement: Any) -> None:
        """Take a SELECT with one parameter, `ids`, of type `Keys`."""
        self._engine = engine
        self._statement: Executable = statement
        self._sql = str(statement.compile(dialect=engine.dialect))
        self._is_direct = engine.dialect.name == "postgresql"
        self._held: PoolProxiedConnection | None = None
        self._held_since = 0.0

    async def ask(self, keys: Sequence[str]) -> Rows:
        """Return the rows for these keys.

        Raises:
            StoreUnavailable: the database does not answer, or not in time.
        """
        if self._is_direct:
            try:
                return await self._ask_directly(keys)
            except (TimeoutError, asyncpg.QueryCanceledError) as error:
                # Asked again, whoever waits would wait twice as long.
                raise StoreUnavailable(f"the database does not answer: {error or 'in time'}") from error
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                self.close()
        return await fetch(self._engine, self._statement, {"ids": keys})

    def close(self) -> None:
        """Drop the connection."""
        held, self._held = self._held, None
        if held is not None:
            held.invalidate()

    async def _ask_directly(self, keys: Sequence[str]) -> Sequence[asyncpg.Record]:
        held = await self._connection()
        try:
            rows: Sequence[asyncpg.Record] = await held.driver_connection.fetch(self._sql, keys)  # type: ignore[union-attr]
        except TimeoutError:
            distrust(self._engine, held)
            self._held = None
            raise
        except asyncio.CancelledError:
            self.close()
            raise
        return rows

    async def _connection(self) -> PoolProxiedConnection:
        if self._held is not None and (
            time.monotonic() - self._held_since > RECYCLE or is_distrusted(self._engine, self._held)
        ):
            self.close()
        if self._held is None:
            with store_failures():
                self._held = await self._engine.raw_connection()
            self._held_since = time.monotonic()
        return self._held
