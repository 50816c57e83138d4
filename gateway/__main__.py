"""The gateway as a process of its own: `python -m gateway`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from aiohttp import web

from gateway.app import STOPPING, create_app, shorten
from gateway.connections import IDLE_SECONDS, Connections, room_for
from gateway.content import open_content_servers
from gateway.context import GatewayContext
from gateway.flights import SingleFlight
from gateway.identity import Voucher, check_keys
from gateway.logins import Logins
from gateway.operator import page
from gateway.remembered import RememberingVerifier
from gateway.results import Results
from gateway.sightings import Sightings
from shared import bootstrap, keys
from shared.admin import Admin
from shared.bus.base import Bus
from shared.bus.waiting import connected
from shared.context import SystemClock, SystemRandom, random_id
from shared.settings import Settings, split_address

SHUTDOWN_SECONDS = 10
"""How long requests may take to end after SIGTERM; aiohttp spends it twice at most."""

BROKER_SECONDS = 5.0
"""How long a new gateway waits for the broker before it takes requests; without one it takes them all the same."""

LONGEST_LINE = 8190
"""Bytes of a request line and of a header."""
MOST_HEADERS = 128
"""Headers of a request."""
LINGER_SECONDS = 3
"""How long the rest of a body is taken and thrown away after the answer is out, so that the answer is read at all."""
BACKLOG = 1024
"""Connections that the operating system keeps for us until we come to them."""

log = structlog.get_logger(__name__)


class Extension(Protocol):
    """What whoever puts the process together adds to a gateway."""

    def look_in(self, context: GatewayContext) -> GatewayContext:
        """Return the context that the gateway is to work with."""
        ...

    def add_to(self, app: web.Application, context: GatewayContext) -> None:
        """Add routes."""
        ...


@asynccontextmanager
async def open_context(
    settings: Settings, bus: Bus, admin: Admin | None = None
) -> AsyncIterator[GatewayContext]:
    """Open what operations and pages are given."""
    random, results, sightings = SystemRandom(), Results(), Sightings()
    admin = admin or Admin()
    own_keys = keys.read(settings.keys_dir, keys.GatewayKeys)
    public_keys = keys.read(settings.keys_dir, keys.PublicKeys)
    if any(service.content for service in settings.services.values()):
        check_keys(own_keys.content, public_keys, settings.keys_dir)
    async with bootstrap.open_read_store(settings) as store, open_content_servers() as content_servers:
        context = GatewayContext(
            settings=settings,
            bus=bus,
            store=store,
            keys=own_keys,
            public_keys=public_keys,
            clock=SystemClock(),
            random=random,
            health=admin.health,
            metrics=admin.metrics,
            traces=admin.traces,
            gateway_id=random_id(random),
            results=results,
            refreshes=SingleFlight(),
            sightings=sightings,
            logins=Logins(random.token_bytes(32)),
            verifier=RememberingVerifier(public_keys.signing, issuer=settings.issuer),
            voucher=Voucher(own_keys.content, issuer=settings.issuer),
            content_servers=content_servers,
        )
        await bus.listen(context.gateway_id, results.receive)
        telling = asyncio.create_task(context.tally.run(bus, context.gateway_id, context.clock))
        try:
            yield context
        finally:
            telling.cancel()
            await context.tally.tell(bus, context.gateway_id, everything=True)
            await sightings.drain()


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Answer requests until *stop* is set."""
    if settings.demo:
        log.warning("no playground here: `demo` is for embedded mode, `latchkey up --demo`")
    async with (
        bootstrap.open_admin(settings, "gateway") as admin,
        bootstrap.open_bus(settings, admin) as bus,
    ):
        await work(settings, bus, admin, stop)


async def work(
    settings: Settings, bus: Bus, admin: Admin, stop: asyncio.Event, extension: Extension | None = None
) -> None:
    """Answer requests, with a bus that is open already."""
    async with open_context(settings, bus, admin) as opened:
        context = extension.look_in(opened) if extension else opened
        bootstrap.watch_store("gateway", context)
        admin.add_page(page.PATH, page.OperatorPage(context).answer)
        app = create_app(context)
        if extension:
            extension.add_to(app, context)
        # aiohttp's own access log costs more than all the rest of a request, and shows secrets in paths.
        runner = web.AppRunner(
            app,
            access_log=None,
            # Sonos packs no request; unpacking 64 MB that came as 64 kB would hold up everybody else.
            auto_decompress=False,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_HEADERS,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            shutdown_timeout=SHUTDOWN_SECONDS,
        )
        await runner.setup()
        assert runner.server is not None  # since it is set up
        nonstop = shorten(runner.server, context)
        connections = Connections(room_for(settings.most_connections), shorten=nonstop.reply)
        # Around everything, whichever way a request is answered.
        runner.server.request_handler = connections.answering(runner.server.request_handler)
        sweeping = asyncio.create_task(connections.sweep())
        try:
            await _take_requests(connections.guarded(runner.server), context, stop)
        finally:
            app[STOPPING].set()
            await connections.drain(SHUTDOWN_SECONDS)
            await runner.cleanup()
            sweeping.cancel()


async def _take_requests(
    protocol: Callable[[], asyncio.Protocol], context: GatewayContext, stop: asyncio.Event
) -> None:
    """Take requests until *stop* is set, and be ready only meanwhile."""
    settings, listening = context.settings, asyncio.Event()

    async def requests() -> str | None:
        return None if listening.is_set() else "not taken yet"

    context.health.fit["requests"] = requests
    # A proxy sends calls from the first moment on, and refreshes would fail in the tenth of a second before the broker is there.
    await connected(context.bus, seconds=BROKER_SECONDS, stop=stop)
    host, port = split_address(settings.listen)
    server = await asyncio.get_running_loop().create_server(protocol, host, port, backlog=BACKLOG)
    listening.set()
    log.info("gateway listens", address=settings.listen, public_url=settings.public_url)
    try:
        await stop.wait()
    finally:
        server.close()


def main() -> None:
    """Run the process."""
    bootstrap.run_process(serve)


if __name__ == "__main__":
    main()
