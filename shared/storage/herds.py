"""Refreshes as they come, in herds: two statements for any number of them, beside a transaction of five (docs/decisions/0021-what-a-refresh-costs.md).

The first reads grants and accounts, the second writes what came of them, all or nothing. No transaction holds them together: the versions do,
as they do within one, where others may change what was read just as well.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import asyncpg
from sqlalchemy import Column, Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.domain.grant import Grant
from shared.storage.base import Conflict
from shared.storage.bulk import SQL_TYPES
from shared.storage.direct import AskPlainly, Held, Keyed
from shared.storage.expressions import Keys, is_one_of, now_seconds
from shared.storage.records import Changes, Holders
from shared.storage.rows import account_at, grant_at
from shared.storage.schema import accounts, deliveries, grants

_GRANT_WIDTH = len(grants.columns)
_HOLDERS = (
    select(grants, accounts, now_seconds())
    .join_from(grants, accounts)
    .where(is_one_of(grants.c.grant_id, bindparam("ids", type_=Keys)))
)
_SWAPPED = (
    *("status", "family", "generation", "signing_key_id", "derivation_key_id", "issued_at", "expires_at"),
    *("seen_generation", "family_started_at", "used_at", "version"),
)
"""What may ever change in a grant."""
_DELIVERED = ("delivery_id", "service", "sealed", "expires_at")

_values = attrgetter(*_SWAPPED)
_pair_values = attrgetter(*_DELIVERED)


def _unnested(table: Table, names: Sequence[str], first: int) -> str:
    """Return SQL for rows whose columns are arrays, in parameters from number *first* on."""
    columns: list[Column[Any]] = [table.c[name] for name in names]
    return ", ".join(f"${first + at}::{SQL_TYPES[type(each.type)]}[]" for at, each in enumerate(columns))


# PostgreSQL has no RAISE outside of functions. A statement that divides by zero ends, and nothing of what it did is kept.
WRITE = f"""
WITH swapped AS (
  UPDATE grants SET {", ".join(f"{name} = brought.{name}" for name in _SWAPPED)}
  FROM unnest({_unnested(grants, ("grant_id", "version", *_SWAPPED), 2)})
    AS brought (grant_id, old_version, {", ".join(_SWAPPED)})
  WHERE grants.grant_id = brought.grant_id AND grants.version = brought.old_version
  RETURNING 1
), delivered AS (
  INSERT INTO deliveries ({", ".join(_DELIVERED)})
  SELECT * FROM unnest({_unnested(deliveries, _DELIVERED, 4 + len(_SWAPPED))})
  ON CONFLICT (delivery_id) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at
)
SELECT 1 / (count(*) = $1)::integer FROM swapped
"""  # noqa: S608 - names of our own schema
"""How many grants; old keys and versions and the new values of grants, column by column; the columns of deliveries."""


class Herds:
    """The short way, on a connection of its own."""

    def __init__(self, engine: AsyncEngine, *, pgbouncer: bool) -> None:
        # Left alone, PostgreSQL plans a statement anew for each array, which takes it as long as all the rest. Behind PgBouncer
        # a setting would be somebody else's in a moment, and no plan is kept.
        setting = "" if pgbouncer else "SET plan_cache_mode = force_generic_plan"
        self._held = Held(engine, setting=setting)
        self._holders = Keyed(engine, _HOLDERS, self._held)

    async def holders(self, grant_ids: Iterable[str]) -> Holders:
        """Return grants with their accounts.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        rows = await self._holders.ask(list(grant_ids))
        found = {row[0]: (grant_at(row), account_at(row, _GRANT_WIDTH)) for row in rows}
        return Holders(now=rows[0][-1] if rows else 0, found=found)

    async def write(self, changes: Changes) -> None:
        """Write everything, or nothing.

        Raises:
            AskPlainly: it may have been written.
            Conflict: a grant has another version, or is gone.
            StoreUnavailable: the database does not answer; it may have been written.
        """
        if changes.audits or changes.notices or changes.first_used:
            # Rare, and then no hurry.
            raise AskPlainly
        swaps = changes.swaps
        parameters = [
            [old.grant_id for old, _ in swaps],
            [old.version for old, _ in swaps],
            *_columns([_grant_row(new) for _, new in swaps], len(_SWAPPED)),
            *_columns([_pair_values(pair) for pair in changes.deliveries], len(_DELIVERED)),
        ]
        try:
            await self._held.fetch(WRITE, len(swaps), *parameters)
        except asyncpg.DivisionByZeroError as error:
            raise Conflict("grants: rows have another version") from error

    def close(self) -> None:
        """Drop the connection."""
        self._held.close()


def _grant_row(grant: Grant) -> tuple[Any, ...]:
    return (grant.status.value, *_values(grant)[1:])


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width
