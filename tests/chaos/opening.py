"""Brings a whole system into being, with a cable to each server, and takes it down again whatever state it is in."""

import asyncio
import contextlib
import json
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from shared.storage.migrate import upgrade
from tests.chaos.cluster import (
    ACCOUNTS,
    CLIENT_SECRET,
    DATABASE_PASSWORD,
    PROVIDER,
    SERVICES,
    SETTINGS,
    START_SECONDS,
    Cluster,
    Stage,
    account,
)
from tests.chaos.proxies import cable
from tests.play.forger import Forger, forging
from tests.play.operator import System, add_account, deployment
from tests.services.keeper import Keeper
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer


@contextlib.asynccontextmanager
async def open_cluster(keeper: Keeper, stage: Stage, *, broker: str) -> AsyncIterator[Cluster]:
    """Start servers, cables and processes; in the end stop all of it, whatever state it is in.

    Args:
        broker: which kind of RabbitMQ, as the keeper knows it.
    """
    names = {kind: f"{kind.split()[0]}-{secrets.token_hex(4)}" for kind in ("postgres", broker)}
    opened = [*names.values()]
    try:
        facts = {kind: await asyncio.to_thread(keeper.open, kind, name) for kind, name in names.items()}
        postgres = PostgresServer(facts["postgres"], lambda act: keeper.order(act, names["postgres"]))
        rabbit = RabbitServer(facts[broker], lambda act: keeper.order(act, names[broker]))
        database_url = await asyncio.to_thread(postgres.migrated_database, _migrate)
        database_url = _with_password(database_url)
        way, settings = database_url, {**SETTINGS, **dict(stage.settings)}
        if stage.pgbouncer:
            opened.append(f"pgbouncer-{secrets.token_hex(4)}")
            pooler = await asyncio.to_thread(keeper.open, f"pgbouncer of {postgres.url}", opened[-1])
            way = _with_password(
                urlsplit(database_url)._replace(netloc=urlsplit(pooler["url"]).netloc).geturl()
            )
            settings["LATCHKEY_DATABASE_PGBOUNCER"] = "true"
        async with (
            forging() as forger,
            cable(way) as to_postgres,
            cable(rabbit.url) as to_rabbit,
            cable(way) as victim_to_postgres,
            cable(rabbit.url) as victim_to_rabbit,
        ):
            if stage.provider:
                settings |= _providers(forger)
            with (
                tempfile.TemporaryDirectory(prefix="latchkey-chaos-") as folder,
                _deployed(Path(folder), to_postgres.url, to_rabbit.url, settings) as system,
            ):
                # Whoever prepares and looks takes no part in the faults.
                system.database_url, system.is_watched = database_url, True
                for number in range(ACCOUNTS):
                    name, password = account(number)
                    await add_account(system, name, password)
                cluster = Cluster(
                    keeper=keeper,
                    system=system,
                    postgres=postgres,
                    rabbit=rabbit,
                    postgres_cable=to_postgres,
                    rabbit_cable=to_rabbit,
                    victim_cables=(victim_to_postgres, victim_to_rabbit),
                    database_url=database_url,
                    forger=forger,
                    opened=opened,
                )
                for service in SERVICES:
                    cluster.start(service)
                await system.ready(START_SECONDS)
                yield cluster
    finally:
        for name in opened:
            await asyncio.to_thread(keeper.order, "close", name)


def _with_password(database_url: str) -> str:
    """Return the address with a password, which nobody asks for and nobody may tell."""
    parts = urlsplit(database_url)
    return parts._replace(
        netloc=f"{parts.username}:{DATABASE_PASSWORD}@{parts.hostname}:{parts.port}"
    ).geturl()


def _providers(forger: Forger) -> dict[str, str]:
    """Let people sign in at the forger, too, and have it asked again whether they are there."""
    corp = {
        "type": "oidc",
        "title": "Corp",
        "issuer": forger.issuer,
        "client_id": "latchkey",
        "client_secret": CLIENT_SECRET,
        "keep_tokens": True,
    }
    return {
        "LATCHKEY_PROVIDERS": json.dumps({"local": {"type": "local", "title": "Own"}, PROVIDER: corp}),
        "LATCHKEY_RECHECK": json.dumps({PROVIDER: {"every": 1}}),
    }


@contextlib.contextmanager
def _deployed(folder: Path, database_url: str, broker_url: str, settings: dict[str, str]) -> Iterator[System]:
    """A deployment whose processes are ended the hard way: how well they end in peace is tested elsewhere."""
    with deployment(folder, database_url=database_url, broker_url=broker_url, extra=settings) as system:
        try:
            yield system
        finally:
            for process in system.processes:
                process.popen.send_signal(signal.SIGCONT)
                process.kill()
            system.processes.clear()


def _migrate(database_url: str) -> None:
    upgrade(database_url)
