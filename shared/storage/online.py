"""What migrations do to tables that may have ten million rows and are in use: nothing that keeps others waiting.

A new table, or a new column that may be empty or has a constant default, takes a moment. An index takes minutes, and PostgreSQL
lets nobody write meanwhile unless it is built concurrently, which no transaction can hold.
"""

from alembic import op


def build_index(name: str, table: str, columns: list[str]) -> None:
    """Build an index on a table that others write to meanwhile.

    Commits what the migration did before: so whatever stands before it has to bear being done again, when the building is
    interrupted and the migration run once more.
    """
    context = op.get_context()
    if context.dialect.name != "postgresql":
        op.create_index(name, table, columns)
        return
    with context.autocommit_block():
        # It waits for transactions that began before, however long they take, and nobody waits behind it.
        op.execute("SET lock_timeout = 0")
        # One that was interrupted leaves an index that is not valid.
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True)
        op.execute("RESET lock_timeout")
