"""How a database and its pool are, for whoever runs them."""

from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from shared.storage.expressions import now_seconds
from shared.storage.records import Connections
from shared.storage.session import fetch

_NOW = select(now_seconds().label("now"))


def connections(engine: AsyncEngine) -> Connections:
    """Tell how many connections there are, without asking for one: there may be none to spare."""
    pool = cast("QueuePool", engine.pool)
    return Connections(used=pool.checkedout(), most=pool.size())


async def database_time(engine: AsyncEngine) -> int:
    """Ask the database for its time.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    (row,) = await fetch(engine, _NOW)
    return int(row.now)
