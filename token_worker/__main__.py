"""token_worker as a process of its own: `python -m token_worker`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared import bootstrap, keys, worker
from shared.admin import Admin
from shared.bus.base import Bus
from shared.context import SystemClock, SystemRandom
from shared.settings import Settings
from token_worker import auditing, retention
from token_worker.context import TokenContext
from token_worker.handlers import HANDLERS
from token_worker.minting import Mint


@asynccontextmanager
async def open_context(
    settings: Settings, bus: Bus, admin: Admin | None = None
) -> AsyncIterator[TokenContext]:
    """Open what the handlers are given."""
    admin, own_keys = admin or Admin(), keys.read(settings.keys_dir, keys.TokenWorkerKeys)
    async with bootstrap.open_token_store(settings, admin.metrics) as store:
        yield TokenContext(
            settings=settings,
            bus=bus,
            store=store,
            keys=own_keys,
            public_keys=keys.read(settings.keys_dir, keys.PublicKeys),
            clock=SystemClock(),
            random=SystemRandom(),
            health=admin.health,
            metrics=admin.metrics,
            traces=admin.traces,
            mint=Mint.of(own_keys, settings),
        )


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Handle events until *stop* is set."""
    async with (
        bootstrap.open_admin(settings, "token_worker") as admin,
        bootstrap.open_bus(settings, admin) as bus,
    ):
        await work(settings, bus, admin, stop)


async def work(settings: Settings, bus: Bus, admin: Admin, stop: asyncio.Event) -> None:
    """Handle events of a bus that is open already, seal the audit log, and delete what has expired."""
    async with open_context(settings, bus, admin) as context, asyncio.TaskGroup() as tasks:
        await bootstrap.wait_for_store("token_worker", context, stop=stop)
        tasks.create_task(retention.run(context, stop=stop))
        tasks.create_task(auditing.run(context, stop=stop))
        tasks.create_task(worker.run(HANDLERS, context, stop=stop, prefetch=settings.prefetch))


def main() -> None:
    """Run the process."""
    bootstrap.run_process(serve)


if __name__ == "__main__":
    main()
