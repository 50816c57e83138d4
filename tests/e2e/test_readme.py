"""A service as README and docs/deployment.md have it: each process and each command with its own role, and no right too few."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from tests.documents import ROOT, scripts
from tests.e2e.test_link import link_household
from tests.play.operator import COMMAND, System, add_account, deployment
from tests.play.past import stale_token
from tests.play.person import Person
from tests.play.ports import free_port
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
WORDS = {
    "accounts add": "{role} --password-stdin",
    "accounts password": "{role} --password-stdin",
    "accounts disable": "ann",
    "accounts enable": "ann",
    "accounts erase": "{role} --yes",
    "accounts export": "ann",
    "grants list": "--all",
    "grants revoke": "--account nobody --yes",
    "links show": "--household {household}",
    "dead replay": "--all",
    "webhook replay": "--untold",
}
"""Command -> what else has to be typed."""


@pytest.fixture
async def service(own_postgres: PostgresServer, rabbit_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """What the README's lines make of an empty database, one after the other."""
    (script,) = [each for each in scripts("README.md") if "latchkey gateway" in each]
    database_url = own_postgres.empty_database()
    webhook = {
        "LATCHKEY_WEBHOOK__URL": f"http://127.0.0.1:{free_port()}",
        "LATCHKEY_WEBHOOK__SECRET": f"whsec_{b64encode(bytes(32)).decode()}",
    }
    with deployment(tmp_path, database_url=database_url, broker_url=rabbit_url, extra=webhook) as system:
        shutil.rmtree(system.keys_dir)
        for line in script.splitlines():
            program, *words = (SAID.get(word, word) for word in shlex.split(line, comments=True))
            if program == "psql":
                psql(system, words)
            elif words[0] in KEYS:
                start(system, words[0])
            else:
                await as_one(system, OWNER).run(*words)
        await system.ready()
        await add_account(system)
        yield system


async def test_service_lacks_no_right(service: System, http: aiohttp.ClientSession, person: Person) -> None:
    """A household links, is refreshed and revoked."""
    sonos = Sonos(http, service.endpoint)
    pair = await link_household(sonos, person)
    refreshed = await sonos.root(Pair(token=await stale_token(service), key=pair.key))
    works = await sonos.root(pair_of(refreshed))
    await as_one(service, GATEWAY).run("grants", "revoke", "--all", "--yes")
    await service.until_all_grants_ended()
    ended = await sonos.root(pair_of(refreshed))

    assert ("Client.TokenRefreshRequired", None) == (refreshed.fault, works.fault)
    assert "Client.AuthTokenExpired" == ended.fault
    assert "does not let this role" not in service.logs()


async def test_commands_work_as_documented(
    service: System, http: aiohttp.ClientSession, person: Person
) -> None:
    """As the role that the page names, and as the owner; another role is told what it lacks."""
    page = (ROOT / "docs/deployment.md").read_text().split("## Commands")[1]
    rows = re.findall(r"^\| (`.*`) \| `(latchkey_\w+)` \|$", page, re.MULTILINE)
    roles = {command: role for commands, role in rows for command in re.findall(r"`([^`]+)`", commands)}
    await link_household(Sonos(http, service.endpoint, household="Sonos_ann"), person)
    refused = await typed(as_one(service, TOKEN_WORKER), ["accounts", "list"])
    for command, role in [(command, role) for command, named in roles.items() for role in {named, OWNER}]:
        words = f"{command} {WORDS.get(command, '')}".format(role=role, household="Sonos_ann")
        done = await typed(as_one(service, role), words.split())
        assert 0 == done.exit_code, (role, words, done.output, done.exception)

    assert 2 == refused.exit_code
    assert re.search(r"permission denied.*roles\.sql.*docs/deployment\.md", refused.output)
    assert set(WORDS) < set(roles)


async def typed(system: System, words: list[str]) -> Result:
    """Run a command here: two dozen processes would take a minute to start."""
    run = partial(CliRunner().invoke, main, words, input="a password of theirs\n", env=system.environment)
    return await asyncio.to_thread(run)


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


def as_one(system: System, role: str) -> System:
    """Return the system as somebody has it who signs in to the database as *role*."""
    own = {"LATCHKEY_DATABASE_URL": as_role(role, system.database_url)}
    return replace(system, environment=system.environment | own)


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
