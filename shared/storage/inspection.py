"""Looks at a database without changing anything there: its schema, its clock, and who may do what."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.storage.engine import open_engine
from shared.storage.expressions import now_seconds
from shared.storage.session import fetch
from shared.storage.version import revision

Rights = Mapping[str, frozenset[str]]
"""Role -> what it was granted, such as `SELECT ON links` or `UPDATE (state) ON links`; `PUBLIC` is everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a PostgreSQL server shows to every role."""

    user: str
    """Whom we are there."""
    settings: Mapping[str, str]
    """Those of `SETTINGS`, as they are for us; numbers in the server's own units."""
    connections: int
    """Open at this moment, of everybody."""
    rights: Rights
    powers: Mapping[str, frozenset[str]]
    """Role -> what it may do beyond rights: `SUPERUSER`, `CREATEROLE`, `CREATEDB`, `BYPASSRLS`, and `member of X`."""
    role_settings: Mapping[str, Mapping[str, str]]
    """Role -> what is set for it, as it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What a database shows."""

    revision: str | None
    """The migration it is at; None: it was never migrated."""
    now: int
    """Its time, in seconds since the epoch."""
    server: ServerFacts | None
    """None for SQLite, which has neither roles nor a server."""


SETTINGS = (
    "synchronous_commit",
    "fsync",
    "full_page_writes",
    "max_connections",
    "superuser_reserved_connections",
)

_SETTINGS = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)")
_USER = text(
    "SELECT current_user::text AS name, (SELECT sum(numbackends) FROM pg_stat_database) AS connections"
)
_RIGHTS = text("""
    SELECT coalesce(role.rolname::text, 'PUBLIC') AS role, given.privilege_type AS act, '' AS part, relname::text AS name
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS given LEFT JOIN pg_roles AS role ON role.oid = given.grantee
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT coalesce(role.rolname::text, 'PUBLIC'), given.privilege_type, attname::text, relname::text
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid CROSS JOIN LATERAL aclexplode(attacl) AS given
    LEFT JOIN pg_roles AS role ON role.oid = given.grantee
    WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped
""")
_POWERS = text("""
    SELECT rolname::text AS role, unnest(array_remove(ARRAY[
        CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
        CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL)) AS power
    FROM pg_roles
    UNION ALL
    SELECT member.rolname::text, 'member of ' || granted.rolname
    FROM pg_auth_members AS membership
    JOIN pg_roles AS member ON member.oid = membership.member JOIN pg_roles AS granted ON granted.oid = membership.roleid
""")
_ROLE_SETTINGS = text("""
    SELECT role.rolname::text AS role, unnest(setconfig) AS written
    FROM pg_db_role_setting JOIN pg_roles AS role ON role.oid = setrole
    WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ORDER BY setdatabase
""")


async def inspect(url: str, *, pgbouncer: bool) -> DatabaseFacts:
    """Look at a database, as whom the URL says.

    Raises:
        StoreUnavailable: it does not answer, or does not let us in.
        ValueError: not a URL of SQLite or PostgreSQL.
    """
    async with open_engine(
        url, application_name="latchkey-doctor", read_only=True, pool_size=1, pgbouncer=pgbouncer
    ) as engine:
        at = await revision(engine)
        server = await _server(engine) if engine.dialect.name == "postgresql" else None
        # Last, since it is compared with what the clock here says afterwards: a slow database is no clock that is wrong.
        (row,) = await fetch(engine, select(now_seconds()))
    return DatabaseFacts(revision=at, now=row[0], server=server)


async def _server(engine: AsyncEngine) -> ServerFacts:
    (user,) = await fetch(engine, _USER)
    rights: defaultdict[str, set[str]] = defaultdict(set)
    for row in await fetch(engine, _RIGHTS):
        rights[row.role].add(
            f"{row.act} ({row.part}) ON {row.name}" if row.part else f"{row.act} ON {row.name}"
        )
    powers: defaultdict[str, set[str]] = defaultdict(set)
    for row in await fetch(engine, _POWERS):
        powers[row.role].add(row.power)
    role_settings: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in await fetch(engine, _ROLE_SETTINGS):
        name, _, value = row.written.partition("=")
        role_settings[row.role][name] = value
    return ServerFacts(
        user=user.name,
        settings={row.name: row.setting for row in await fetch(engine, _SETTINGS, {"names": list(SETTINGS)})},
        connections=int(user.connections),
        rights={role: frozenset(each) for role, each in rights.items()},
        powers={role: frozenset(each) for role, each in powers.items()},
        role_settings=dict(role_settings),
    )
