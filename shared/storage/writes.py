"""The shapes of writing, each built once: building a statement costs as much as a third of sending it."""

from functools import cache

from sqlalchemy import Table, Update, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert
"""An INSERT that can say ON CONFLICT, which the two dialects spell alike but build apart."""


@cache
def insert_new(dialect: str, table: Table) -> Insert:
    """Return an INSERT of one row that does nothing where a key of it is taken; its parameters are the columns."""
    # Inline: a number that the database gives the row is not asked for, and not every role may read it.
    return insert(dialect, table).on_conflict_do_nothing().inline()


@cache
def upsert(dialect: str, table: Table, key: tuple[str, ...], brought: tuple[str, ...]) -> Insert:
    """Return an INSERT of one row that brings the columns *brought* to the row whose *key* is the same."""
    statement = insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=key, set_={name: statement.excluded[name] for name in brought}
    )


@cache
def swap(table: Table, changed: tuple[str, ...]) -> Update:
    """Return an UPDATE of the row with the key `old_key`, where its version is `old_version`.

    It sets the columns *changed* to the parameters `new_` and their name: no others, so that a role needs rights on the
    columns it changes alone.
    """
    (key,) = table.primary_key.columns
    return (
        update(table)
        .where(key == bindparam("old_key"), table.c.version == bindparam("old_version"))
        .values({name: bindparam(f"new_{name}") for name in changed})
    )


def insert(dialect: str, table: Table) -> Insert:
    """Return an INSERT in the words of a dialect, `postgresql` or `sqlite`."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
