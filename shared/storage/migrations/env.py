"""What Alembic runs around each migration; the connection comes from `shared.storage.migrate`."""

from alembic import context
from sqlalchemy import Connection, text

from shared.storage.schema import metadata

_LOCK = 0x6C61746368  # "latch"


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Two that migrate at once would both begin from the same revision; the second waits here and finds nothing to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # SQLite cannot change a column in place; Alembic then copies the table.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


_migrate(context.config.attributes["connection"])
