"""auth_worker as a process of its own: `python -m auth_worker`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from auth_worker import webhook
from auth_worker.app_tokens import open_app_tokens
from auth_worker.context import AuthContext
from auth_worker.handlers import HANDLERS
from auth_worker.providers.opening import open_providers
from auth_worker.providers.web import Web
from auth_worker.webhook import Webhook
from shared import bootstrap, keys, worker
from shared.admin import Admin
from shared.bus.base import Bus
from shared.context import SystemClock, SystemRandom
from shared.settings import Settings, webhook_key
from shared.tokens import TokenVerifier


@asynccontextmanager
async def open_context(
    settings: Settings, bus: Bus, admin: Admin | None = None
) -> AsyncIterator[AuthContext]:
    """Open what the handlers are given."""
    admin, public_keys = admin or Admin(), keys.read(settings.keys_dir, keys.PublicKeys)
    async with (
        bootstrap.open_auth_store(settings, admin.metrics) as store,
        open_providers(settings, store, admin) as providers,
        open_app_tokens(settings.services, SystemClock()) as app_tokens,
        _open_webhook(settings) as teller,
    ):
        yield AuthContext(
            settings=settings,
            bus=bus,
            store=store,
            keys=keys.read(settings.keys_dir, keys.AuthWorkerKeys),
            public_keys=public_keys,
            clock=SystemClock(),
            random=SystemRandom(),
            health=admin.health,
            metrics=admin.metrics,
            traces=admin.traces,
            providers=providers,
            app_tokens=app_tokens,
            webhook=teller,
            verifier=TokenVerifier(public_keys.signing, issuer=settings.issuer),
        )


@asynccontextmanager
async def _open_webhook(settings: Settings) -> AsyncIterator[Webhook | None]:
    async with AsyncExitStack() as stack:
        key = webhook_key(settings.webhook.secret.get_secret_value()) if settings.webhook else None
        if settings.webhook is None or key is None:
            yield None
        else:
            yield Webhook(url=settings.webhook.url, key=key, web=await stack.enter_async_context(Web.open()))


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Handle events until *stop* is set."""
    async with (
        bootstrap.open_admin(settings, "auth_worker") as admin,
        bootstrap.open_bus(settings, admin) as bus,
    ):
        await work(settings, bus, admin, stop)


async def work(settings: Settings, bus: Bus, admin: Admin, stop: asyncio.Event) -> None:
    """Handle events of a bus that is open already, and tell the service what it wants to know."""
    async with open_context(settings, bus, admin) as context, asyncio.TaskGroup() as tasks:
        await bootstrap.wait_for_store("auth_worker", context, stop=stop)
        tasks.create_task(webhook.run(context, stop=stop))
        tasks.create_task(worker.run(HANDLERS, context, stop=stop, prefetch=settings.prefetch))


def main() -> None:
    """Run the process."""
    bootstrap.run_process(serve)


if __name__ == "__main__":
    main()
