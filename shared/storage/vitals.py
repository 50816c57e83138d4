"""How a database and its pool are, for whoever runs them."""

from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from shared.storage.base import Watched
from shared.storage.expressions import now_seconds
from shared.storage.records import Connections
from shared.storage.session import fetch
from shared.storage.version import check

_NOW = select(now_seconds().label("now"))


class SqlWatched(Watched):
    """See the port."""

    _engine: AsyncEngine

    async def check(self) -> None:
        """Prove that the database answers and has the schema of this version."""
        await check(self._engine)

    def connections(self) -> Connections:
        """Tell how many connections are in use, without asking for one: there may be none to spare."""
        pool = cast("QueuePool", self._engine.pool)
        return Connections(used=pool.checkedout(), most=pool.size())

    async def database_time(self) -> int:
        """Return whole seconds since the epoch, by the database's clock."""
        (row,) = await fetch(self._engine, _NOW)
        return int(row.now)
