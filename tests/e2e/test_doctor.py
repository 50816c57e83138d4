"""`latchkey doctor` on a real installation: nothing to find on a healthy one, and each thing that is then broken."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from deploy.doctor.look import look
from deploy.doctor.render import as_json, findings
from deploy.doctor.seen import Told
from deploy.doctor.table import lines
from shared.bus.rabbit import open_rabbit
from shared.settings import load
from tests.conftest import _open
from tests.contract.conftest import connected
from tests.play.operator import EMBEDDED, System, deployment
from tests.play.roles import GATEWAY, PASSWORD, apply_roles, as_role, for_asyncpg
from tests.services.keeper import Keeper
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer

PREFIX = "LATCHKEY_"


@pytest.fixture
def durable_postgres(keeper: Keeper) -> Iterator[PostgresServer]:
    """A server that keeps what it confirms, unlike the one that tests share; roles are its own."""
    name = "doctor-postgres"
    yield PostgresServer(_open(keeper, "durable postgres", name))
    keeper.order("close", name)


async def test_doctor_finds_what_is_broken_and_nothing_else(
    durable_postgres: PostgresServer, rabbit_server: RabbitServer, rabbit_url: str, tmp_path: Path
) -> None:
    """As the gateway's role with the gateway's keys; then, with everything broken at once, each thing by its own line."""
    from shared.storage.migrate import upgrade

    database_url = durable_postgres.migrated_database(upgrade)
    await apply_roles(database_url)
    with deployment(tmp_path, database_url=database_url, broker_url=rabbit_url) as system:
        system.start_gateway("embedded", ("-c", EMBEDDED))
        await system.ready()
        gateway = with_own_rights(system)
        report = tmp_path / "report.json"
        told = ("--registered", system.endpoint, "--management", rabbit_server.management)
        output = await gateway.run("doctor", *told, "--json", str(report))
        healthy = json.loads(report.read_text())
        system.processes[0].stop()
    await break_database(database_url)
    await break_broker(rabbit_url)
    rabbit_server.set_policy(rabbit_url, "short", pattern="^token[.]mint$", definition={"max-length": 10})
    break_keys(Path(gateway.environment["LATCHKEY_KEYS_DIR"]))
    settings = load(
        **{
            name.removeprefix(PREFIX).lower(): value
            for name, value in gateway.environment.items()
            if name.startswith(PREFIX)
        }
    )
    told_now = Told(registered=("https://elsewhere.example.com/smapi",), management=rabbit_server.management)
    seen = await look(settings, told_now)
    found = {line.check_id: line.said for line in findings(lines(seen))}

    assert healthy["healthy"], output
    assert "PostgreSQL, as latchkey_gateway" in output
    assert {"tls", "strings", "providers"} == {
        line["id"].partition(".")[0] for line in healthy["checks"] if line["state"] == "skipped"
    }
    assert {
        "public.reachable",
        "public.registered",
        "database.rights",
        "database.limits",
        "database.durable",
        "broker.topology",
        "broker.arguments",
        "broker.policies",
        "broker.readers",
        "broker.dead-letters",
        "keys.modes",
        "keys.age",
    } == set(found)
    assert "latchkey_gateway may INSERT ON grants, and should not" in found["database.rights"]
    assert "latchkey_gateway: statement_timeout is not set" in found["database.limits"]
    assert "x-queue-type" in found["broker.arguments"]
    assert "short lets token.mint drop messages: max-length" == found["broker.policies"]
    assert "no queue auth.notice" in found["broker.topology"]
    shown = output + as_json(lines(seen)) + repr(seen)
    assert not [secret for secret in secrets_of(system) if secret in shown]


def with_own_rights(system: System) -> System:
    """Return the system as a gateway's machine has it: its role, its key file, and public.json."""
    folder = system.folder / "of the gateway"
    folder.mkdir(mode=0o700)
    for name in ("gateway.json", "public.json"):
        shutil.copy2(system.keys_dir / name, folder / name)
    own = {
        "LATCHKEY_DATABASE_URL": as_role(GATEWAY, system.database_url),
        "LATCHKEY_KEYS_DIR": str(folder),
        "COLUMNS": "200",
    }
    return replace(system, environment=system.environment | own)


async def break_database(url: str) -> None:
    """Give a right that nobody should have, and take two promises back."""
    connection = await asyncpg.connect(for_asyncpg(url))
    await connection.execute(
        "GRANT INSERT ON grants TO latchkey_gateway; "
        "ALTER ROLE latchkey_gateway RESET statement_timeout; "
        "ALTER ROLE latchkey_token_worker SET synchronous_commit = off"
    )
    await connection.close()


async def break_broker(url: str) -> None:
    """Bury a message, make a queue anew that forgets, and delete another."""
    async with open_rabbit(url) as bus:
        await connected(bus)
        await bus.bury("auth.link", b"canary-letter", reason="because")
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.queue_delete("auth.used")
        await channel.declare_queue("auth.used", durable=True)
        await channel.queue_delete("auth.notice")


def break_keys(folder: Path) -> None:
    """Let everybody read the gateway's keys, and let them be old."""
    (folder / "gateway.json").chmod(0o644)
    os.utime(folder / "gateway.json", (0, 0))


def secrets_of(system: System) -> list[str]:
    """Return what must not be shown: passwords of database and broker, all private keys, and what is in a letter."""
    files = [json.loads(path.read_text()) for path in system.keys_dir.glob("*.json") if path.stem != "public"]
    keys = [key for file in files for group in file.values() for key in group]
    private = [key.get("secret") or key["jwk"]["d"] for key in keys]
    return [PASSWORD, "guest:guest", "canary-letter", *private]
