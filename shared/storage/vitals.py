"""How a database and its pool are, for whoever runs them."""

from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from shared.storage.expressions import now_seconds
from shared.storage.records import Vitals
from shared.storage.session import fetch

_NOW = select(now_seconds().label("now"))


async def vitals(engine: AsyncEngine) -> Vitals:
    """Ask the database for its time, and the pool for its connections.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    pool = cast("QueuePool", engine.pool)
    used = pool.checkedout()
    (row,) = await fetch(engine, _NOW)
    return Vitals(now=row.now, used=used, most=pool.size())
