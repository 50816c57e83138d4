"""What changed in a household's rows between two looks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.playground.masking import fields, value_of
from shared.storage.household import Row, Rows

_TELLING = {
    "links": ("state",),
    "grants": ("status", "family", "generation", "seen_generation"),
    "accounts": ("status",),
    "audit_events": ("kind",),
    "login_attempts": ("outcome",),
}
"""The columns whose change is worth a place in the diagram itself; everything else can be opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row that was written."""

    label: str
    text: str


def changes(before: Rows, after: Rows) -> Iterator[Change]:
    """Yield what was inserted, changed and deleted, table by table."""
    signed_in = {row["account_id"] for (table, _), row in after.items() if table == "links"}
    for (table, key), row in after.items():
        if table == "accounts" and key not in signed_in:
            continue
        old = before.get((table, key))
        if old is None:
            yield Change(label=_inserted(table, row), text=fields(_filled(row)))
        elif old != row:
            yield Change(label=_changed(table, old, row), text=_differences(old, row))
    for table, key in before.keys() - after.keys():
        yield Change(label=f"- {table}", text=fields(_filled(before[table, key])))


def _inserted(table: str, row: Row) -> str:
    words = [
        value_of(column, row[column]) for column in _TELLING.get(table, ()) if isinstance(row[column], str)
    ]
    return " ".join([f"+ {table}", *words])


def _changed(table: str, old: Row, new: Row) -> str:
    columns = [column for column in _TELLING.get(table, ()) if old[column] != new[column]]
    shown = [_arrow(column, old, new) for column in columns] or [
        column for column in new if old[column] != new[column] and column != "version"
    ]
    return f"{table}: {', '.join(shown)}"


def _differences(old: Row, new: Row) -> str:
    changed = [column for column in new if old[column] != new[column]]
    width = max(len(column) for column in changed)
    return "\n".join(
        f"{column:<{width}}  {value_of(column, old[column])} → {value_of(column, new[column])}"
        for column in changed
    )


def _arrow(column: str, old: Row, new: Row) -> str:
    return f"{column} {value_of(column, old[column])} → {value_of(column, new[column])}"


def _filled(row: Row) -> Mapping[str, object]:
    return {column: value for column, value in row.items() if value not in (None, "")}
