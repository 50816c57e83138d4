"""Migrations named `pre_` only add, and keep nobody waiting: the SQL that each sends to PostgreSQL says so."""

import io
import re
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from shared.storage import migrate

ADDS = (
    r"CREATE TABLE \w+ ",
    r"CREATE INDEX CONCURRENTLY \w+ ON \w+ \(",
    r"ALTER TABLE \w+ ADD COLUMN (IF NOT EXISTS )?\w+ (TEXT|BIGINT|INTEGER|BOOLEAN|BYTEA)$",
    # PostgreSQL keeps a constant default beside the table, and writes no row.
    r"ALTER TABLE \w+ ADD COLUMN (IF NOT EXISTS )?\w+ \w+ DEFAULT '\w*' NOT NULL$",
    r"ALTER TABLE \w+ ALTER COLUMN \w+ DROP NOT NULL$",
    r"(SET|RESET) lock_timeout",
)
"""All that a `pre_` migration may do to tables that the release before works with."""

SCRIPTS = sorted(
    ScriptDirectory(str(Path(migrate.__file__).parent / "migrations")).walk_revisions(),
    key=lambda script: script.revision,
)


def _statements(script: Script) -> list[str]:
    """What a migration sends to PostgreSQL."""
    sent = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={"as_sql": True, "output_buffer": sent, "transaction_per_migration": True},
    )
    with Operations.context(context):
        script.module.upgrade()
    return [" ".join(statement.split()) for statement in sent.getvalue().split(";") if statement.strip()]


def _is_fine(statement: str, before: list[str]) -> bool:
    """Tell whether a statement only adds, by itself or since a table or index is new in the same migration."""
    if statement in {"BEGIN", "COMMIT"} or any(re.match(form, statement) for form in ADDS):
        return True
    built = re.match(r"CREATE INDEX \w+ ON (\w+) ", statement)
    dropped = re.match(r"DROP INDEX CONCURRENTLY IF EXISTS (\w+)$", statement)
    if built:
        return any(earlier.startswith(f"CREATE TABLE {built[1]} ") for earlier in before)
    # What an interrupted run of the same migration has left.
    return dropped is not None


@pytest.mark.parametrize(
    "script", [each for each in SCRIPTS if "_pre_" in Path(each.path).stem], ids=lambda each: each.revision
)
def test_a_migration_that_comes_before_only_adds(script: Script) -> None:
    """New tables, columns that may be empty, and indexes that are built while others write: nothing the code before stumbles over."""
    statements = _statements(script)

    assert statements
    assert [] == [each for place, each in enumerate(statements) if not _is_fine(each, statements[:place])]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda each: each.revision)
def test_an_index_that_is_dropped_is_built_again(script: Script) -> None:
    """Dropping makes room for the same index, and for nothing else."""
    statements = _statements(script)
    dropped = [each.split()[-1] for each in statements if each.startswith("DROP INDEX CONCURRENTLY")]
    built = [each.split()[3] for each in statements if each.startswith("CREATE INDEX CONCURRENTLY")]

    assert dropped == built


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE links",
        "ALTER TABLE links DROP COLUMN network",
        "ALTER TABLE links ADD COLUMN size INTEGER NOT NULL",
        "ALTER TABLE links ALTER COLUMN network SET NOT NULL",
        "ALTER TABLE links RENAME COLUMN network TO net",
        "CREATE INDEX ix_links_network ON links (network)",
        "CREATE UNIQUE INDEX CONCURRENTLY ix_links_network ON links (network)",
    ],
)
def test_what_the_code_before_would_notice_is_found(statement: str) -> None:
    """What takes away, asks for more, or keeps writers waiting does not pass for an addition."""
    assert not _is_fine(statement, ["CREATE TABLE grants ( grant_id TEXT )"])
