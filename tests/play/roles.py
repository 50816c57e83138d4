"""The roles of deploy/postgres/roles.sql: who is who in the database."""

from urllib.parse import urlsplit

import asyncpg

from tests.documents import ROOT

OWNER = "latchkey_owner"
GATEWAY = "latchkey_gateway"
AUTH_WORKER = "latchkey_auth_worker"
TOKEN_WORKER = "latchkey_token_worker"
SERVICES = (GATEWAY, AUTH_WORKER, TOKEN_WORKER)
PASSWORD = "only-for-tests"
_FILE = ROOT / "deploy/postgres/roles.sql"


async def apply_roles(url: str) -> None:
    """Run the file on the database at a SQLAlchemy URL, and give each role a password."""
    connection = await asyncpg.connect(for_asyncpg(url))
    try:
        await connection.execute(_FILE.read_text())
        for role in (OWNER, *SERVICES):
            # Where the server wants one; others let the roles in without.
            await connection.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
    finally:
        await connection.close()


def as_role(role: str, url: str) -> str:
    """Return the URL with which a role signs in to the same database."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()


def for_asyncpg(url: str) -> str:
    """Return a SQLAlchemy URL as asyncpg takes it."""
    return url.replace("+asyncpg", "")
