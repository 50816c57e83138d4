"""deploy/postgres/roles.sql gives each service what its store needs, and nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from shared.storage import migrate, sql
from shared.storage.base import StoreUnavailable
from shared.storage.schema import grants, metadata
from tests.documents import ROOT, scripts
from tests.play.roles import (
    AUTH_WORKER,
    GATEWAY,
    OWNER,
    SERVICES,
    TOKEN_WORKER,
    apply_roles,
    as_role,
    for_asyncpg,
)
from tests.services.postgres import PostgresServer
from tests.store_samples import (
    ENTRY,
    LINK,
    METADATA,
    VISIT,
    selections_of,
    standing_of,
    work_as_auth_worker,
    work_as_token_worker,
)

RIGHTS: dict[str, dict[str, set[str]]] = {
    GATEWAY: {
        "alembic_version": {"SELECT"},
        "accounts": {"SELECT"},
        "links": {"SELECT"},
        "link_sightings": {"SELECT"},
        "login_attempts": {"SELECT"},
        "grants": {"SELECT"},
        "deliveries": {"SELECT"},
        "sessions": {"SELECT"},
        "typed_codes": {"SELECT"},
        "code_entries": {"SELECT"},
        "visits": {"SELECT"},
        "grant_origins": {"SELECT"},
        "audit_events": {"SELECT"},
        "provider_metadata": {"SELECT"},
        "sign_in_tries": {"SELECT"},
        "known_places": {"SELECT"},
    },
    AUTH_WORKER: {
        "alembic_version": {"SELECT"},
        "accounts": {"SELECT", "INSERT"},
        "local_users": {"SELECT", "INSERT", "DELETE"},
        "links": {"SELECT", "INSERT"},
        "link_sightings": {"SELECT", "INSERT"},
        "login_attempts": {"SELECT", "INSERT"},
        "sessions": {"SELECT", "INSERT", "DELETE"},
        "visits": {"SELECT", "INSERT", "DELETE"},
        "upgrades": {"SELECT", "INSERT"},
        "typed_codes": {"SELECT", "INSERT"},
        "code_entries": {"SELECT", "INSERT"},
        "provider_metadata": {"SELECT", "INSERT"},
        "provider_tokens": {"SELECT", "INSERT", "DELETE"},
        "account_checks": {"SELECT", "INSERT", "DELETE"},
        "told_ends": {"SELECT", "INSERT"},
        "sign_in_tries": {"SELECT", "INSERT"},
        "known_places": {"SELECT", "INSERT"},
        "notices": {"SELECT"},
        "audit_events": {"INSERT"},
    },
    TOKEN_WORKER: {
        "alembic_version": {"SELECT"},
        "accounts": {"SELECT", "DELETE"},
        "links": {"SELECT", "DELETE"},
        "grants": {"SELECT", "INSERT", "DELETE"},
        "grant_origins": {"SELECT", "INSERT"},
        "link_sightings": {"INSERT"},
        "visits": {"SELECT", "DELETE"},
        "deliveries": {"SELECT", "INSERT", "DELETE"},
        "sessions": {"SELECT", "DELETE"},
        "upgrades": {"SELECT", "DELETE"},
        "typed_codes": {"SELECT", "DELETE"},
        "told_ends": {"SELECT", "DELETE"},
        "code_entries": {"SELECT", "DELETE"},
        "sign_in_tries": {"SELECT", "DELETE"},
        "known_places": {"SELECT", "DELETE"},
        "notices": {"SELECT", "INSERT", "DELETE"},
        "audit_events": {"SELECT", "INSERT", "DELETE"},
        "audit_seals": {"SELECT", "INSERT"},
    },
}
"""Role -> table -> what it may do to the table as a whole."""

CHANGEABLE: dict[str, dict[str, set[str]]] = {
    GATEWAY: {},
    AUTH_WORKER: {
        "accounts": {"nickname", "tier", "status"},
        "links": {"state", "account_id", "browser", "version"},
        "link_sightings": {"times", "last_at", "note"},
        "sessions": {"used_at", "expires_at", "version"},
        "visits": {"used_at", "expires_at", "version"},
        "audit_events": {"household_id", "detail"},
        "code_entries": {"outcome", "typed_id"},
        "provider_metadata": {"issuer", "authorization_endpoint", "iss_parameter", "fetched_at"},
        "provider_tokens": {"sealed", "checked_at", "version"},
        "account_checks": {"claim", "next_at", "doubt", "gone_at", "version"},
        "sign_in_tries": {"account", "network", "at_network", "at_place", "outcome", "expires_at"},
        "known_places": {"since", "expires_at"},
        "notices": {"due_at", "attempts", "provider", "subject"},
    },
    TOKEN_WORKER: {
        "links": {"state", "grant_id", "version"},
        "grants": set(grants.columns.keys()) - {"grant_id", "service", "account_id", "household_id"},
        "deliveries": {"sealed", "expires_at"},
        "sessions": {"version"},
        "visits": {"version"},
        "grant_origins": {"hardware", "os_version", "app_name", "network", "link_id"},
        "upgrades": {"expires_at"},
        "typed_codes": {"expires_at"},
        "told_ends": {"expires_at"},
        "code_entries": {"expires_at"},
        "sign_in_tries": {"expires_at"},
        "known_places": {"expires_at"},
        "notices": {"expires_at"},
    },
}
"""Role -> table -> the columns it may change."""

TABLES = [*metadata.tables, "alembic_version"]

DATABASE_WIDE = {
    "CREATE TABLE": "CREATE TABLE mine ()",
    "CREATE TEMPORARY TABLE": "CREATE TEMPORARY TABLE mine ()",
    "CREATE VIEW": "CREATE VIEW mine AS SELECT 1",
    "CREATE FUNCTION": "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA": "CREATE SCHEMA mine",
    "CREATE ROLE": "CREATE ROLE mine",
    "large object": "SELECT lo_create(0)",
    "large object of bytes": "SELECT lo_from_bytea(0, 'x')",
}


@pytest.fixture
async def _alone_with_the_roles(postgres_server: PostgresServer) -> AsyncIterator[None]:
    """Wait until no other test process sets up the roles: they belong to the whole server."""
    connection = await asyncpg.connect(postgres_server.url)
    await connection.execute("SELECT pg_advisory_lock(hashtext('latchkey roles'))")
    yield
    await connection.close()


@pytest.fixture
async def roles_url(_alone_with_the_roles: None, postgres_url: str) -> str:
    """A migrated database whose roles were set up, and set up once more."""
    await apply_roles(postgres_url)
    await apply_roles(postgres_url)
    return postgres_url


@asynccontextmanager
async def _signed_in(role: str, url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect as a role, without the role's default of reading only: its rights alone shall refuse."""
    connection = await asyncpg.connect(for_asyncpg(as_role(role, url)))
    try:
        await connection.execute("SET default_transaction_read_only = off")
        yield connection
    finally:
        await connection.close()


async def _may(connection: asyncpg.Connection, statement: str) -> bool:
    """Tell whether the role lacks no right for *statement*, of which nothing stays."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    except asyncpg.IntegrityConstraintViolationError:
        # The row was no good; rights are looked at before rows.
        return True
    finally:
        await transaction.rollback()
    return True


def _columns(table: str) -> list[str]:
    return metadata.tables[table].columns.keys() if table in metadata.tables else ["version_num"]


def _acts(table: str) -> dict[str, str]:
    """What may be done to a table as a whole -> a statement that does it."""
    return {
        "SELECT": f"SELECT {_columns(table)[0]} FROM {table}",
        "INSERT": f"INSERT INTO {table} DEFAULT VALUES",
        "DELETE": f"DELETE FROM {table}",
        "TRUNCATE": f"TRUNCATE {table} CASCADE",
        "CREATE INDEX": f"CREATE INDEX ON {table} ({_columns(table)[0]})",
        "ALTER": f"ALTER TABLE {table} ADD COLUMN mine text",
        "DROP": f"DROP TABLE {table} CASCADE",
    }


def test_every_table_is_decided_on() -> None:
    """A new table is named here and in roles.sql for those who need it, before anybody can use it."""
    named = {table for rights in RIGHTS.values() for table in rights}

    assert set(TABLES) == named


@pytest.mark.parametrize("role", SERVICES)
async def test_a_service_may_do_what_it_needs_and_no_more(roles_url: str, role: str) -> None:
    """Every act on every table is allowed where it is listed, and refused everywhere else."""
    async with _signed_in(role, roles_url) as connection:
        allowed = {
            table: {act for act, statement in _acts(table).items() if await _may(connection, statement)}
            for table in TABLES
        }

    assert {table: RIGHTS[role].get(table, set()) for table in TABLES} == allowed


@pytest.mark.parametrize("role", SERVICES)
async def test_a_service_may_change_only_its_columns(roles_url: str, role: str) -> None:
    """A worker changes what its handlers change; what a row was made for stays."""
    async with _signed_in(role, roles_url) as connection:
        changeable = {
            table: columns
            for table in TABLES
            if (
                columns := {
                    column
                    for column in _columns(table)
                    if await _may(connection, f"UPDATE {table} SET {column} = DEFAULT")
                }
            )
        }

    assert CHANGEABLE[role] == changeable


@pytest.mark.parametrize("role", SERVICES)
async def test_a_service_can_make_nothing_new(roles_url: str, role: str) -> None:
    """No tables, not even temporary ones, no functions, no roles, no large objects."""
    async with _signed_in(role, roles_url) as connection:
        allowed = {what for what, statement in DATABASE_WIDE.items() if await _may(connection, statement)}

    assert set() == allowed


@pytest.mark.parametrize("role", SERVICES)
async def test_rights_of_an_earlier_version_are_taken_back(roles_url: str, role: str) -> None:
    """A right that is no longer listed goes when the file is run again."""
    connection = await asyncpg.connect(for_asyncpg(roles_url))
    await connection.execute(f"GRANT ALL ON accounts TO {role}; GRANT UPDATE (subject) ON accounts TO {role}")
    await connection.close()
    await apply_roles(roles_url)
    async with _signed_in(role, roles_url) as connection:
        assert not await _may(connection, "UPDATE accounts SET subject = DEFAULT")
        assert not await _may(connection, "TRUNCATE accounts CASCADE")


async def test_each_service_can_do_its_work(roles_url: str) -> None:
    """Every method of every store works with the rights of the service that has it."""
    async with (
        sql.open_auth_store(as_role(AUTH_WORKER, roles_url)) as auth,
        sql.open_token_store(as_role(TOKEN_WORKER, roles_url)) as token,
        sql.open_read_store(as_role(GATEWAY, roles_url)) as read,
    ):
        authenticated = await work_as_auth_worker(auth)
        view = await read.link(LINK.link_id)
        entry = await read.code_entry(ENTRY.entry_id)
        grant = await work_as_token_worker(token, authenticated)
        await read.check()
        polled = await read.poll(LINK.link_id)
        grant_view = await read.grant(grant.grant_id)
        selected = [await read.grants(selection, limit=10) for selection in selections_of(grant)]
        delivery = await read.delivery(LINK.link_id)
        await read.live_codes(10)
        assert await read.visit(VISIT.visit_hash)
        systems = await read.systems(grant.account_id, limit=10)
        await read.events(grant.account_id, limit=10)
        assert await read.provider_metadata(METADATA.provider)
        assert await read.account_of(service="default", provider="local", subject="zoë")
        await read.guesses(browser=ENTRY.browser, network=ENTRY.network)
        await read.trails([LINK.link_id])
        await read.links_of(LINK.household_id, limit=10)
        await read.link_named(["typed-1"])
        await read.funnel(since=0, span=3600, most=10)
        await read.unfinished(since=0, most=10)
        await read.latest(since=0, most=10)

    assert () == systems
    assert entry is not None
    assert view is not None
    assert authenticated == view.link
    assert grant_view is not None
    assert standing_of(grant) == grant_view.grant
    assert [[grant]] * 4 == [[view.grant for view in views] for views in selected]
    assert (None, None) == (polled, delivery)


@pytest.mark.usefixtures("_alone_with_the_roles")
async def test_the_documented_order_works_from_nothing(empty_postgres_url: str) -> None:
    """Roles, `latchkey migrate` as the owner, roles again: then the gateway is fit for work."""
    await apply_roles(empty_postgres_url)
    await asyncio.to_thread(migrate.upgrade, as_role(OWNER, empty_postgres_url))
    async with sql.open_read_store(as_role(GATEWAY, empty_postgres_url)) as read:
        with pytest.raises(StoreUnavailable, match=r"roles\.sql"):
            await read.check()

        await apply_roles(empty_postgres_url)
        await read.check()


async def test_documented_backup_comes_back(
    roles_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """The commands of docs/backup.md, as they stand there: rows and rights are as they were."""
    async with sql.open_auth_store(as_role(AUTH_WORKER, roles_url)) as auth:
        authenticated = await work_as_auth_worker(auth)
    server = for_asyncpg(roles_url).rpartition("/")[0]
    restored = postgres_server.empty_database()
    postgres_server.drop(restored)
    name = restored.rpartition("/")[2]
    (script,) = [each for each in scripts("docs/backup.md") if "pg_dump" in each]
    command = script.replace("=latchkey.dump", f"={tmp_path}/dump").replace(
        " latchkey.dump", f" {tmp_path}/dump"
    )
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euc", command.replace(" restored", f" {name}")),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "SERVER": f"{server}/postgres",
            "DATABASE": for_asyncpg(roles_url),
            "RESTORED": f"{server}/{name}",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    try:
        async with sql.open_read_store(as_role(GATEWAY, restored)) as read:
            await read.check()
            view = await read.link(LINK.link_id)
        async with _signed_in(GATEWAY, restored) as connection:
            assert not await _may(connection, "DELETE FROM links")
    finally:
        postgres_server.drop(restored)

    assert view is not None
    assert authenticated == view.link
