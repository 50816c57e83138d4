"""Everything in one process: the same three services on SQLite and an in-process bus."""

import asyncio
from pathlib import Path

import auth_worker.__main__ as auth_worker
import gateway.__main__ as gateway
import token_worker.__main__ as token_worker
from deploy.playground.playground import Playground, open_playground
from shared import bootstrap, keys
from shared.admin import Admin
from shared.bus.base import Bus
from shared.context import SystemRandom
from shared.settings import Settings

DATABASE, KEYS = "latchkey.db", "keys"
"""What the folder of an embedded installation holds."""


def settings_for(data: Path, *, listen: str, public_url: str | None) -> dict[str, object]:
    """Return the settings that embedded mode chooses by itself."""
    return {
        "database_url": f"sqlite+aiosqlite:///{data.absolute() / DATABASE}",
        "broker_url": "memory://",
        "keys_dir": data / KEYS,
        "listen": listen,
        "public_url": public_url or f"http://{listen}",
    }


def prepare(settings: Settings) -> None:
    """Make what a first start needs: the folder, keys, and the database; leave what is there as it is, and add what a new version needs."""
    settings.keys_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    random = SystemRandom().token_bytes
    if settings.keys_dir.exists():
        keys.complete(random, settings.keys_dir)
    else:
        keys.write(keys.create(random), settings.keys_dir)
    bootstrap.migrate_database(settings)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run all three services until *stop* is set; with `demo`, the playground looks over their shoulders."""
    async with (
        bootstrap.open_admin(settings, "latchkey") as admin,
        bootstrap.open_bus(settings, admin) as bus,
    ):
        if not settings.demo:
            await _run(settings, stop, bus, admin, None)
            return
        async with open_playground(settings) as playground:
            await _run(settings, stop, bus, admin, playground)


async def _run(
    settings: Settings, stop: asyncio.Event, bus: Bus, admin: Admin, playground: Playground | None
) -> None:
    """Run all three; the gateway ends first, so that nobody waits for a worker in vain."""

    def bus_of(name: str) -> Bus:
        return playground.watched(bus, name) if playground else bus

    workers_stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(auth_worker.work(settings, bus_of("auth_worker"), admin, workers_stop))
        tasks.create_task(token_worker.work(settings, bus_of("token_worker"), admin, workers_stop))
        try:
            await gateway.work(settings, bus_of("gateway"), admin, stop, playground)
        finally:
            workers_stop.set()
