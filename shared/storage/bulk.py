"""Many rows in one statement, on PostgreSQL: a tenth of what a statement for each costs. SQLite takes them one by one.

Each parameter is an array with the values of one column, so that the statement is the same for any number of rows.
"""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from shared.storage.base import Conflict
from shared.storage.rows import Values
from shared.storage.session import Session
from shared.storage.writes import upsert


async def swap_all(session: Session, table: Table, swaps: Sequence[tuple[Values, Values]]) -> None:
    """Write what differs between pairs of rows, each where the row still has the version of the old one; as `Session.swap`.

    Raises:
        Conflict: one has another version, or is gone; the transaction is of no use any more.
    """
    changing = [(old, new) for old, new in swaps if old != new]
    if session.dialect != "postgresql" or len(changing) == 1:
        for old, new in changing:
            await session.swap(table, old, new)
        return
    if not changing:
        return
    changed = tuple(name for name in changing[0][0] if any(new[name] != old[name] for old, new in changing))
    (key,) = table.primary_key.columns.keys()
    parameters = {f"new_{name}": [new[name] for _, new in changing] for name in changed}
    parameters |= {
        "old_key": [old[key] for old, _ in changing],
        "old_version": [old["version"] for old, _ in changing],
    }
    done = await session.execute(_swap(table, changed), parameters)
    if done.rowcount != len(changing):
        raise Conflict(f"{table.name}: {len(changing) - done.rowcount} rows have another version")


async def insert_all(session: Session, table: Table, rows: Sequence[Values]) -> frozenset[str]:
    """Insert rows whose key is not taken, and return the keys of those; as `Session.insert_new`.

    In the order of their keys, so that two transactions with the same rows wait for each other one way round only.
    """
    (key,) = table.primary_key.columns.keys()
    rows = sorted({row[key]: row for row in rows}.values(), key=lambda row: row[key])
    if session.dialect != "postgresql" or len(rows) == 1:
        return frozenset([row[key] for row in rows if await session.insert_new(table, row)])
    if not rows:
        return frozenset()
    names = tuple(rows[0])
    done = await session.execute(_insert(table, names), {name: [row[name] for row in rows] for name in names})
    return frozenset(done.scalars())


async def upsert_all(
    session: Session, table: Table, rows: Sequence[Values], *, key: str, brought: tuple[str, ...]
) -> None:
    """Insert rows; bring the columns *brought* of those whose *key* is there. Of two with the same key the last one counts."""
    rows = list({row[key]: row for row in rows}.values())
    if session.dialect != "postgresql" or len(rows) == 1:
        for row in rows:
            await session.execute(upsert(session.dialect, table, (key,), brought), row)
    elif rows:
        names = tuple(rows[0])
        await session.execute(
            _upsert(table, names, key, brought), {name: [row[name] for row in rows] for name in names}
        )


@cache
def _swap(table: Table, changed: tuple[str, ...]) -> TextClause:
    (key,) = table.primary_key.columns
    columns = {"old_key": key, "old_version": table.c.version}
    columns |= {f"new_{name}": table.c[name] for name in changed}
    assignments = ", ".join(f"{name} = brought.new_{name}" for name in changed)
    return _with_arrays(
        f"UPDATE {table.name} SET {assignments} FROM {_unnested(columns)}"  # noqa: S608 - names of our own schema
        f" WHERE {table.name}.{key.name} = brought.old_key AND {table.name}.version = brought.old_version",
        columns,
    )


@cache
def _insert(table: Table, names: tuple[str, ...]) -> TextClause:
    (key,) = table.primary_key.columns.keys()
    columns = {name: table.c[name] for name in names}
    return _with_arrays(
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM {_unnested(columns)}"  # noqa: S608 - as above
        f" ON CONFLICT DO NOTHING RETURNING {key}",
        columns,
    )


@cache
def _upsert(table: Table, names: tuple[str, ...], key: str, brought: tuple[str, ...]) -> TextClause:
    columns = {name: table.c[name] for name in names}
    assignments = ", ".join(f"{name} = excluded.{name}" for name in brought)
    return _with_arrays(
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM {_unnested(columns)}"  # noqa: S608 - as above
        f" ON CONFLICT ({key}) DO UPDATE SET {assignments}",
        columns,
    )


def _unnested(columns: dict[str, Column[object]]) -> str:
    arrays = ", ".join(
        f"CAST(:{name} AS {SQL_TYPES[type(column.type)]}[])" for name, column in columns.items()
    )
    return f"unnest({arrays}) AS brought({', '.join(columns)})"


def _with_arrays(sql: str, columns: dict[str, Column[object]]) -> TextClause:
    return text(sql).bindparams(
        *(bindparam(name, type_=ARRAY(column.type)) for name, column in columns.items())
    )


SQL_TYPES = {Text: "text", Integer: "integer", BigInteger: "bigint", LargeBinary: "bytea"}
"""Type of a column -> its name in SQL."""
