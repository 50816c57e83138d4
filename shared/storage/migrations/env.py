"""What Alembic runs around each migration; the connection comes from `shared.storage.migrate`."""

from alembic import context
from sqlalchemy import Connection

from shared.storage.schema import metadata


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        # SQLite cannot change a column in place; Alembic then copies the table.
        render_as_batch=connection.dialect.name == "sqlite",
        # On PostgreSQL no lock is held while the next migration is under way.
        transaction_per_migration=connection.dialect.name == "postgresql",
    )
    with context.begin_transaction():
        context.run_migrations()


_migrate(context.config.attributes["connection"])
