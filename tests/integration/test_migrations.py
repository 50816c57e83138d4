"""Migrations lead from nothing to exactly the tables the code is written for."""

import asyncio
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, MetaData, Table, inspect, select, text

from shared.storage import migrate, schema, sql, version
from shared.storage.base import StoreUnavailable
from shared.storage.engine import open_engine
from tests.store_samples import insert_link, open_stores

PROJECT = Path(__file__).parents[2]

FIRST_RELEASE = (
    "INSERT INTO accounts VALUES ('account-1', 'default', 'local', 'user-1', 'Ann', 'free', 'active')",
    "INSERT INTO local_users VALUES ('default', 'ann', 'user-1', 'Ann', '$argon2id$v=19$')",
    (
        "INSERT INTO links VALUES ('link-1', 'default', 'linked', 'Sonos_x', 'S38', '83.1', 'ICRU', 'sonos-2://x', "
        "1800000000, 1800000600, 'account-1', 'browser-1', 'grant-1', 3)"
    ),
    (
        "INSERT INTO login_attempts (link_id, submission_id, service, outcome) "
        "VALUES ('link-1', 'try-1', 'default', 'authenticated')"
    ),
    (
        "INSERT INTO grants VALUES ('grant-1', 'default', 'account-1', 'Sonos_x', 'active', 2, 7, 's1', 'd1', "
        "1800000000, 1800003600, 6, 1800000000, 1800000000, 9)"
    ),
    "INSERT INTO deliveries VALUES ('link-1', 'default', CAST('sealed' AS {binary}), 1800000600)",
    "INSERT INTO audit_events (at, kind, service, detail) VALUES (1800000000, 'link.linked', 'default', '{{}}')",
)
"""A row for each table of revision 0001."""
FIRST_TABLES = (
    "accounts",
    "local_users",
    "links",
    "login_attempts",
    "grants",
    "deliveries",
    "audit_events",
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it; for SQLite, not even its file."""
    if request.param == "postgres":
        return str(request.getfixturevalue("empty_postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"


async def _upgrade(url: str) -> None:
    await asyncio.to_thread(migrate.upgrade, url)


async def _execute(url: str, *statements: str) -> None:
    async with open_engine(url, application_name="test") as engine, engine.begin() as connection:
        for statement in statements:
            binary = "BYTEA" if engine.dialect.name == "postgresql" else "BLOB"
            await connection.execute(text(statement.format(binary=binary)))


async def _contents(url: str, tables: Iterable[str]) -> dict[str, list[tuple[object, ...]]]:
    async with open_engine(url, application_name="test") as engine, engine.connect() as connection:
        return {
            table: [tuple(row) for row in await connection.execute(text(f"SELECT * FROM {table}"))]
            for table in tables
        }


def _differences(connection: Connection) -> list[object]:
    # SQLite numbers rows without being told, so there Alembic misses what PostgreSQL calls an identity.
    compare_defaults = connection.dialect.name == "postgresql"
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": compare_defaults}
    )
    return list(compare_metadata(context, schema.metadata))


def _names(connection: Connection) -> set[str | None]:
    """The names of all constraints and indexes that we name."""
    inspector = inspect(connection)
    names: set[str | None] = set()
    for table in schema.metadata.tables:
        names.add(inspector.get_pk_constraint(table)["name"])
        for listed in (
            inspector.get_unique_constraints(table),
            inspector.get_foreign_keys(table),
            inspector.get_indexes(table),
        ):
            names |= {each["name"] for each in listed}
    return names


async def test_the_migrations_make_the_tables_of_the_code(empty_url: str) -> None:
    """What the migrations made does not differ from what the code is written for."""
    await _upgrade(empty_url)
    async with (
        open_engine(empty_url, application_name="test") as engine,
        engine.connect() as connection,
    ):
        differences = await connection.run_sync(_differences)
        names = await connection.run_sync(_names)
        await connection.run_sync(schema.metadata.drop_all)
        await connection.run_sync(schema.metadata.create_all)
        names_of_the_code = await connection.run_sync(_names)

    assert [] == differences
    assert names_of_the_code == names


async def test_upgrading_again_changes_nothing(empty_url: str) -> None:
    """An upgrade of a database that is up to date keeps the rows and the revision."""
    await _upgrade(empty_url)
    async with open_stores(empty_url) as stores:
        link = await insert_link(stores.auth)
    await _upgrade(empty_url)
    async with open_stores(empty_url) as stores:
        view = await stores.read.link(link.link_id)

    assert view is not None
    assert link == view.link


async def test_a_database_of_the_first_release_keeps_its_rows(empty_url: str) -> None:
    """From revision 0001 with data in every table to the head: each row is as it was, and the new tables are empty."""
    await asyncio.to_thread(migrate.upgrade, empty_url, to="0001")
    await _execute(empty_url, *FIRST_RELEASE)
    before = await _contents(empty_url, FIRST_TABLES)
    await _upgrade(empty_url)
    after = await _contents(empty_url, FIRST_TABLES)
    new = await _contents(empty_url, ("sessions", "upgrades"))
    async with open_stores(empty_url) as stores:
        view = await stores.read.grant("grant-1")

    assert all(before.values())
    # These have one column more by now, which says nothing about the past.
    grown = {table: [(*row, None) for row in before[table]] for table in ("links", "audit_events")}
    assert before | grown == after
    assert {"sessions": [], "upgrades": []} == new
    assert view is not None
    assert ("account-1", 2, 7) == (view.account.account_id, view.grant.family, view.grant.generation)


def _earlier_tables(connection: Connection) -> list[Table]:
    """The tables as they are now, in the order in which rows can be put into them."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def _sample(column: "Column[object]", revision: str) -> object:
    """A value that is the same in all columns of a type, so that foreign keys hold, and another for each revision."""
    return {str: revision, int: int(revision), bytes: b"sealed", bool: True}[column.type.python_type]


async def test_code_of_every_earlier_revision_can_go_on(empty_url: str) -> None:
    """With the head's tables, rows of each revision before can be put in, changed and read as that revision's code does."""
    earlier: dict[str, list[Table]] = {}
    for number in range(1, int(migrate.head()) + 1):
        revision = f"{number:04}"
        await asyncio.to_thread(migrate.upgrade, empty_url, to=revision)
        async with open_engine(empty_url, application_name="test") as engine, engine.connect() as connection:
            earlier[revision] = await connection.run_sync(_earlier_tables)
    read: dict[str, list[list[object]]] = {}
    async with open_engine(empty_url, application_name="test") as engine, engine.begin() as connection:
        for revision, tables in earlier.items():
            read[revision] = []
            for table in tables:
                row = {
                    column.name: _sample(column, revision)
                    for column in table.columns
                    if column.name not in {"attempt_id", "event_id"} or table.name == "told_ends"
                }
                ours = [table.c[name] == value for name, value in row.items()]
                await connection.execute(table.insert().values(row))
                await connection.execute(table.update().where(*ours).values(row))
                found = await connection.execute(select(*[table.c[name] for name in row]).where(*ours))
                read[revision].append([tuple(each) == tuple(row.values()) for each in found])

    assert {revision: [[True]] * len(tables) for revision, tables in earlier.items()} == read


async def test_upgrades_at_once_are_one(empty_url: str) -> None:
    """Replicas that all migrate as they start do not get into each other's way."""
    upgrade = f"from shared.storage.migrate import upgrade; upgrade({empty_url!r})"
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", upgrade, cwd=PROJECT) for _ in range(3)
    ]
    codes = [await process.wait() for process in processes]

    assert [0, 0, 0] == codes
    assert migrate.head() == await asyncio.to_thread(version.current, empty_url)


async def test_upgrades_in_threads_are_one(empty_url: str) -> None:
    """Alembic knows one migration per process at a time, so within one they wait for each other."""
    await asyncio.gather(*(_upgrade(empty_url) for _ in range(3)))

    assert migrate.head() == await asyncio.to_thread(version.current, empty_url)


async def test_an_upgrade_waits_for_the_one_under_way(empty_postgres_url: str) -> None:
    """While one process migrates, another neither begins nor fails."""
    connection = await asyncpg.connect(empty_postgres_url.replace("+asyncpg", ""))
    await connection.execute(f"SELECT pg_advisory_lock({migrate.LOCK})")
    upgrading = asyncio.create_task(_upgrade(empty_postgres_url))
    is_waiting = False
    while not is_waiting and not upgrading.done():
        is_waiting = await connection.fetchval(
            "SELECT count(*) > 0 FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'latchkey-migrate'"
            " AND query LIKE '%pg_try_advisory_lock%'"
        )
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    await upgrading

    assert is_waiting
    assert 0 == tables


async def test_an_empty_database_is_unfit_and_says_what_to_do(empty_url: str) -> None:
    """Before the first migration the check of every service names the command that helps."""
    async with open_stores(empty_url) as stores:
        for store in (stores.read, stores.auth, stores.token):
            with pytest.raises(StoreUnavailable, match="run `latchkey migrate`"):
                await store.check()


async def test_a_database_that_is_behind_is_unfit(empty_url: str) -> None:
    """A database that lacks a migration this code needs says which, and how to get there."""
    await _upgrade(empty_url)
    await _execute(empty_url, "UPDATE alembic_version SET version_num = '0000'")
    async with sql.open_read_store(empty_url) as store:
        with pytest.raises(StoreUnavailable, match=rf"0000.*{schema.VERSION}.*`latchkey migrate`"):
            await store.check()


async def test_a_database_that_is_ahead_is_fit(empty_url: str) -> None:
    """While newer code is rolled out, this code goes on with a schema it does not know yet."""
    await _upgrade(empty_url)
    await _execute(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    async with sql.open_read_store(empty_url) as store:
        await store.check()


def test_the_revision_of_a_new_database_is_none(empty_url: str) -> None:
    """`current` tells a database that was never migrated from one that is up to date."""
    before = version.current(empty_url)
    migrate.upgrade(empty_url)
    after = version.current(empty_url)

    assert (None, migrate.head()) == (before, after)


def test_asking_for_the_revision_makes_no_file(tmp_path: Path) -> None:
    """Whoever only looks leaves nothing behind."""
    path = tmp_path / "new.db"

    assert version.current(f"sqlite+aiosqlite:///{path}") is None
    assert not path.exists()


def test_the_code_knows_its_last_migration() -> None:
    """The revision the code asks for is the last one there is."""
    assert migrate.head() == schema.VERSION


def test_migrations_are_numbered_and_named_for_when_they_are_safe() -> None:
    """Every file is `NNNN_pre_...` or `NNNN_post_...`, without a gap, so that revisions can be compared."""
    folder = Path(migrate.__file__).parent / "migrations/versions"
    names = sorted(path.stem for path in folder.glob("[0-9]*.py"))

    assert [f"{number:04}" for number in range(1, len(names) + 1)] == [name[:4] for name in names]
    assert {"pre", "post"} >= {name.split("_")[1] for name in names}


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """A SQLite database, and what SQLite keeps beside it, can be read by nobody else."""
    path = tmp_path / "new.db"
    url = f"sqlite+aiosqlite:///{path}"
    await _upgrade(url)
    async with open_stores(url) as stores:
        await insert_link(stores.auth)
        modes = _modes(tmp_path)

    assert {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600} == modes


async def test_a_commit_of_sqlite_survives_a_power_failure(sqlite_url: str) -> None:
    """Writers keep readers undisturbed, wait for the disk at each commit, and heed foreign keys."""
    async with (
        open_engine(sqlite_url, application_name="test") as engine,
        engine.connect() as connection,
    ):
        pragmas = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1} == pragmas


@pytest.mark.parametrize("name", ["a b.db", "per%cent.db", "ques?tion.db", "ha#sh.db", "ü.db"])
async def test_a_path_may_hold_anything(tmp_path: Path, name: str) -> None:
    """Characters that mean something in a URI mean nothing in a file's name."""
    folder = tmp_path / name
    folder.mkdir()
    url = f"sqlite+aiosqlite:///{str(folder / name).replace('%', '%25').replace('?', '%3F')}"
    await _upgrade(url)
    async with sql.open_read_store(url) as store:
        await store.check()

    assert (folder / name).is_file()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/latchkey",
        "mysql+aiomysql://user:hunter2@host/latchkey",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "no url with hunter2",
        "",
    ],
)
async def test_another_database_is_refused(url: str) -> None:
    """A URL that cannot work is refused in words that hold no password."""
    with pytest.raises(ValueError, match=r"postgresql\+asyncpg://|must be a file") as refusal:
        async with sql.open_read_store(url):
            pass

    assert "hunter2" not in str(refusal.value)
