"""The adapter's face: one store per service, on SQLite and on PostgreSQL alike.

Embedded and production differ in the URL alone. Nothing connects before it is used; `check` of an opened store tells whether
the database is there, and fit.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.metrics import Metrics
from shared.storage.auth import SqlAuthStore
from shared.storage.engine import DEFAULT_TIMEOUTS, Timeouts, open_engine
from shared.storage.reads import HELD, SqlReadStore
from shared.storage.tokens import SqlTokenStore

__all__ = [
    "SqlAuthStore",
    "SqlReadStore",
    "SqlTokenStore",
    "Timeouts",
    "open_auth_store",
    "open_read_store",
    "open_token_store",
]


@asynccontextmanager
async def open_read_store(
    url: str,
    *,
    application_name: str = "latchkey-gateway",
    pool_size: int = 5,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    pgbouncer: bool = False,
) -> AsyncIterator[SqlReadStore]:
    """Open the gateway's store; the database refuses every write on its connections.

    Raises:
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    async with open_engine(
        url,
        application_name=application_name,
        read_only=True,
        pool_size=pool_size + HELD,
        timeouts=timeouts,
        pgbouncer=pgbouncer,
    ) as engine:
        store = SqlReadStore(engine)
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def open_auth_store(
    url: str,
    *,
    application_name: str = "latchkey-auth-worker",
    pool_size: int = 5,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    pgbouncer: bool = False,
    metrics: Metrics | None = None,
) -> AsyncIterator[SqlAuthStore]:
    """Open auth_worker's store.

    Raises:
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    async with open_engine(
        url,
        application_name=application_name,
        pool_size=pool_size,
        timeouts=timeouts,
        pgbouncer=pgbouncer,
    ) as engine:
        yield SqlAuthStore(engine, metrics or Metrics())


@asynccontextmanager
async def open_token_store(
    url: str,
    *,
    application_name: str = "latchkey-token-worker",
    pool_size: int = 5,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    pgbouncer: bool = False,
    metrics: Metrics | None = None,
) -> AsyncIterator[SqlTokenStore]:
    """Open token_worker's store.

    Raises:
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    # One more, which the store keeps for herds.
    async with open_engine(
        url,
        application_name=application_name,
        pool_size=pool_size + 1,
        timeouts=timeouts,
        pgbouncer=pgbouncer,
    ) as engine:
        store = SqlTokenStore(engine, metrics or Metrics(), pgbouncer=pgbouncer)
        try:
            yield store
        finally:
            store.close()
