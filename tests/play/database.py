"""The hand of fate: changes rows behind the product's back, as time and operators do."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


async def execute(database_url: str, statement: str, **values: object) -> list[tuple[object, ...]]:
    """Run one statement and return the rows it gives, if any."""
    engine = create_async_engine(database_url, poolclass=NullPool)
    async with engine.begin() as connection:
        result = await connection.execute(text(statement), values)
        rows = [tuple(row) for row in result] if result.returns_rows else []
    await engine.dispose()
    return rows
