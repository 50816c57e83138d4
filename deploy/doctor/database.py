"""The database: its schema, its clock, who may do what, and whether it keeps what it has confirmed."""

from deploy.doctor.lines import Verdict, check, ok, unless, warn, wrong
from deploy.doctor.rights import SERVICES, rights_in, roles_sql, settings_in
from deploy.doctor.seen import Seen, Skipped, Unseen, known
from shared.storage.inspection import ServerFacts
from shared.storage.reads import HELD

GRACE_SECONDS = 60
"""What a gateway allows its own clock against the database's, in link codes and tokens."""
DRIFT_SECONDS = 5
FULL = 0.8
"""Share of all connections from which there is little room left."""
_APPLY = "Apply deploy/postgres/roles.sql again, as its first lines say."


@check(
    "database.reachable",
    way_out="Start it, or correct LATCHKEY_DATABASE_URL; the reason is the database's own.",
)
def reachable(seen: Seen) -> Verdict:
    """The database answers."""
    if isinstance(seen.database, Unseen):
        return wrong(seen.database.reason)
    server = seen.database.server
    return ok(f"PostgreSQL, as {server.user}" if server else "SQLite")


@check(
    "database.schema",
    way_out="Run `latchkey migrate` as the owner of the tables, then deploy/postgres/roles.sql.",
)
def schema(seen: Seen) -> Verdict:
    """The database has the schema of this version."""
    revision = known(seen.database).revision
    if revision is None:
        return wrong("it was never migrated")
    if revision < seen.needed:
        return wrong(f"it is at {revision}, this version needs {seen.needed}")
    if revision != seen.head:
        return warn(f"it is at {revision}, this version has {seen.head}")
    return ok(revision)


@check("database.clock", way_out="Have both machines keep time by NTP; the database's clock decides.")
def clock(seen: Seen) -> Verdict:
    """This machine and the database have the same time."""
    apart = seen.now - known(seen.database).now
    said = f"{abs(apart)} s {'ahead of' if apart > 0 else 'behind'} the database"
    if abs(apart) > GRACE_SECONDS:
        return wrong(f"{said}: link codes and tokens are refused before their time, or taken after it")
    return warn(said) if abs(apart) > DRIFT_SECONDS else ok("the same, within seconds")


@check("database.rights", way_out=_APPLY)
def rights(seen: Seen) -> Verdict:
    """Each service has the rights that it needs, and no others."""
    server = _server(seen)
    if not set(SERVICES) & set(server.rights):
        return warn("one role does everything: the gateway could write, were it not for its own restraint")
    wanted = rights_in(roles_sql())
    problems = [f"everybody may {right}" for right in sorted(server.rights.get("PUBLIC", ()))]
    for role in SERVICES:
        has = server.rights.get(role, frozenset())
        problems += [f"{role} is {power}" for power in sorted(server.powers.get(role, ()))]
        problems += [f"{role} may {right}, and should not" for right in sorted(has - wanted[role])]
        problems += [f"{role} may not {right}" for right in sorted(wanted[role] - has)]
    return unless(problems, "as roles.sql gives them")


@check(
    "database.role",
    way_out="Name the service's own role in LATCHKEY_DATABASE_URL: `latchkey_gateway` and the like.",
)
def role(seen: Seen) -> Verdict:
    """This process signs in as a role that can do no more than it needs."""
    server = _server(seen)
    if server.user in SERVICES:
        return ok(server.user)
    powers = ", ".join(sorted(server.powers.get(server.user, ())))
    return warn(f"{server.user}, which is no service's role" + (f": {powers}" if powers else ""))


@check("database.limits", way_out=_APPLY)
def limits(seen: Seen) -> Verdict:
    """Each role has the time-outs that hold also where a service does not set them itself."""
    server = _server(seen)
    if not set(SERVICES) & set(server.rights):
        raise Skipped("no roles of their own")
    problems = [
        f"{role}: {name} is {server.role_settings.get(role, {}).get(name, 'not set')}, not {value}"
        for role, settings in settings_in(roles_sql()).items()
        for name, value in settings.items()
        if server.role_settings.get(role, {}).get(name) != value
    ]
    # A pooler drops what a service sets when it connects, so that these are all there is.
    return unless(problems, "as roles.sql sets them", otherwise=wrong if _is_pooled(seen) else warn)


@check(
    "database.pooler",
    way_out="Set LATCHKEY_DATABASE_PGBOUNCER where a PgBouncer stands in between, and nowhere else.",
)
def pooler(seen: Seen) -> Verdict:
    """The settings say whether a PgBouncer stands in between."""
    _server(seen)
    return ok("through PgBouncer, as the settings say" if _is_pooled(seen) else "straight to PostgreSQL")


@check(
    "database.durable",
    way_out="Set synchronous_commit, fsync and full_page_writes to `on`: households hold what a confirmed transaction gave them.",
)
def durable(seen: Seen) -> Verdict:
    """What the database has confirmed is there after a crash."""
    server = _server(seen)
    problems = [
        f"{name} is off"
        for name in ("synchronous_commit", "fsync", "full_page_writes")
        if server.settings.get(name) == "off"
    ]
    problems += [
        f"{role}: synchronous_commit is off"
        for role, settings in server.role_settings.items()
        if settings.get("synchronous_commit") == "off"
    ]
    return unless(problems, "synchronous_commit, fsync and full_page_writes are on")


@check(
    "database.connections",
    way_out="Raise max_connections, lower LATCHKEY_DATABASE_POOL, or put a PgBouncer in between; --replicas says how many run of each.",
)
def connections(seen: Seen) -> Verdict:
    """The server has connections for the pools of all processes."""
    server = _server(seen)
    if _is_pooled(seen):
        raise Skipped("PgBouncer has a pool of its own")
    room = int(server.settings["max_connections"]) - int(server.settings["superuser_reserved_connections"])
    needed = seen.told.replicas * (3 * seen.settings.database_pool + HELD)
    said = f"{seen.told.replicas} of each service may open {needed}, the server has {room}, and {server.connections} are open"
    if needed > room:
        return wrong(said)
    return warn(said) if server.connections > FULL * room else ok(said)


CHECKS = (reachable, schema, clock, rights, role, limits, pooler, durable, connections)


def _server(seen: Seen) -> ServerFacts:
    server = known(seen.database).server
    if server is None:
        raise Skipped("SQLite has no roles and no server")
    return server


def _is_pooled(seen: Seen) -> bool:
    return seen.settings.database_pgbouncer
