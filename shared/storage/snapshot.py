"""Copies of an SQLite database while it is in use, by SQLite's own backup API: one moment of it, and nobody waits."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from shared.storage.engine import sqlite_path
from shared.storage.failures import store_failures


def snapshot(database_url: str, target: Path) -> None:
    """Copy the database into *target*, a new file for its owner alone.

    Raises:
        ValueError: it is not SQLite, which alone is copied this way.
        StoreUnavailable: it does not answer.
        FileExistsError: *target* is there.
    """
    source = sqlite_path(database_url)
    if source is None:
        raise ValueError("the database is PostgreSQL: copy it with pg_dump, as docs/backup.md says")
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600))
    with (
        store_failures(),
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as origin,
        closing(sqlite3.connect(target)) as copy,
    ):
        origin.backup(copy)
        # One file that is all there is, in place of a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")


def revision_of(copy: Path) -> str:
    """Return the schema of a copied database, having looked through all of it.

    Raises:
        ValueError: it is damaged, or not a database of ours.
    """
    try:
        with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise ValueError(f"the database in it cannot be read: {error}") from error
    if verdict != "ok" or row is None:
        raise ValueError(f"the database in it is damaged: {verdict}")
    return str(row[0])
