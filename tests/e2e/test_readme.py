"""README, "For a service", line by line: from an empty database to a household, each process with its own role and key files."""

import os
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests.documents import ROOT, scripts
from tests.e2e.test_link import link_household
from tests.play.operator import COMMAND, System, add_account, deployment
from tests.play.past import stale_token
from tests.play.person import NAME, Person
from tests.play.roles import AUTH_WORKER, GATEWAY, OWNER, TOKEN_WORKER, as_role
from tests.play.sonos import Pair, Sonos, pair_of
from tests.services.postgres import PostgresServer

KEYS = {
    "gateway": (GATEWAY, "gateway.json"),
    "auth-worker": (AUTH_WORKER, "auth_worker.json"),
    "token-worker": (TOKEN_WORKER, "token_worker.json"),
}
"""Service -> the role that it signs in with, and the key file that it gets."""
SAID = {"/etc/latchkey/keys": "keys", "deploy/postgres/roles.sql": str(ROOT / "deploy/postgres/roles.sql")}
"""What stands in the README -> what it is here."""


async def test_services_as_the_readme_has_them(
    own_postgres: PostgresServer,
    rabbit_url: str,
    tmp_path: Path,
    http: aiohttp.ClientSession,
    person: Person,
) -> None:
    """A household links, is refreshed and erased, and no service lacks a right or a key."""
    database_url = own_postgres.empty_database()
    (script,) = [each for each in scripts("README.md") if "latchkey gateway" in each]
    with deployment(tmp_path, database_url=database_url, broker_url=rabbit_url) as system:
        shutil.rmtree(system.keys_dir)
        for line in script.splitlines():
            program, *words = (SAID.get(word, word) for word in shlex.split(line, comments=True))
            if program == "psql":
                psql(system, words)
            elif words[0] in KEYS:
                start(system, words[0])
            else:
                await run(system, words)
        await system.ready()
        await add_account(system)
        sonos = Sonos(http, system.endpoint)
        pair = await link_household(sonos, person)
        refreshed = await sonos.root(Pair(token=await stale_token(system), key=pair.key))
        works = await sonos.root(pair_of(refreshed))
        erased = await system.run("accounts", "erase", NAME, "--yes")
        gone = await sonos.root(pair_of(refreshed))

    assert ("Client.TokenRefreshRequired", None) == (refreshed.fault, works.fault)
    assert "erased the account" in erased
    assert "Client.AuthTokenExpired" == gone.fault
    assert "permission denied" not in system.logs()


def psql(system: System, words: list[str]) -> None:
    """Run it as the superuser of the machine, in the database that is called `latchkey` there."""
    server = urlsplit(system.database_url)
    where = {"PGHOST": str(server.hostname), "PGPORT": str(server.port), "PGUSER": str(server.username)}
    assert "latchkey" == words.pop()
    subprocess.run(
        ["psql", "--quiet", "--set", "ON_ERROR_STOP=1", *words, server.path[1:]],
        env={"PATH": os.environ["PATH"], **where},
        check=True,
    )


async def run(system: System, words: list[str]) -> None:
    """Run a command to its end, as the owner of the tables."""
    owner = {"LATCHKEY_DATABASE_URL": as_role(OWNER, system.database_url)}
    await replace(system, environment=system.environment | owner).run(*words)


def start(system: System, name: str) -> None:
    """Start a service as its role, with its own key file and the public one."""
    role, key_file = KEYS[name]
    folder = system.folder / f"keys of {name}"
    folder.mkdir(mode=0o700)
    for file in (key_file, "public.json"):
        shutil.copy2(system.keys_dir / file, folder / file)
    own = {
        "LATCHKEY_DATABASE_URL": as_role(role, system.database_url),
        "LATCHKEY_KEYS_DIR": str(folder),
    }
    begin = system.start_gateway if name == "gateway" else system.start
    begin(name, ("-c", COMMAND, name), **own)
