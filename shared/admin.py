"""The admin address: health, metrics, and what a service adds for whoever runs it. Never the public address.

Health and metrics are for probes and Prometheus, which come from anywhere that can reach the address. Pages that a service adds
may tell of households, so they are shown on this machine alone: to who comes from it, and asks for it by a name that
can be nothing else, since a web page elsewhere may point its own name here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from shared.health import Health, Report
from shared.metrics import Metrics, Timed
from shared.settings import is_loopback, split_address
from shared.traces import NoTraces, Traces

SHUTDOWN_SECONDS = 1
"""How long a probe's answer may take at the end."""

PULSE = 0.25
"""Seconds between two looks at how late the event loop is."""

Page = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Admin:
    """What one process shows whoever runs it."""

    health: Health = field(default_factory=Health)
    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces = field(default_factory=NoTraces)
    _open: dict[str, Page] = field(default_factory=dict)
    _pages: dict[str, Page] = field(default_factory=dict)

    def add_open(self, path: str, page: Page) -> None:
        """Show *page* to whoever reaches the address: for machines, and about this process alone."""
        self._open[path] = page

    def add_page(self, path: str, page: Page) -> None:
        """Show *page* at a path such as `/links`, and for everything below it."""
        self._pages[path] = page

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        page = self._pages.get("/" + request.path.split("/")[1])
        # What is looked up on a page comes by POST, so that it stands in no address; nothing is changed by it.
        allowed = {"GET", "HEAD"} if page is None else {"GET", "HEAD", "POST"}
        if request.method not in allowed:
            raise web.HTTPMethodNotAllowed(request.method, allowed)
        if request.path in self._open:
            return await self._open[request.path](request)
        if page is None:
            raise web.HTTPNotFound
        if not _is_here(request):
            raise web.HTTPForbidden(
                text="This page is shown on the machine itself: ask for 127.0.0.1 or localhost, from there.\n"
            )
        return await page(request)


@asynccontextmanager
async def open_admin(address: str | None, traces: Traces | None = None) -> AsyncIterator[Admin]:
    """Open what a process shows, and serve it if it has an address for that."""
    admin = Admin(traces=traces or NoTraces())
    if address is None:
        yield admin
        return
    from shared.exposition import CONTENT_TYPE, Exposition  # noqa: PLC0415 - only where somebody may ask

    exposition, health = Exposition(admin.metrics), admin.health

    async def metrics(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=await exposition.text(), headers={"Content-Type": CONTENT_TYPE})

    admin.add_open("/metrics", metrics)
    for path, ask in (("/livez", health.livez), ("/readyz", health.readyz), ("/startupz", health.startupz)):
        admin.add_open(path, partial(_probed, ask))
    host, port = split_address(address)
    runner = web.ServerRunner(web.Server(admin.answer, access_log=None), shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    pulse = asyncio.create_task(_feel_pulse(admin.metrics.loop_lag))
    try:
        await web.TCPSite(runner, host, port).start()
        log.info("admin listens", address=address)
        yield admin
    finally:
        pulse.cancel()
        await runner.cleanup()


async def _feel_pulse(lag: Timed) -> None:
    """Measure how late the event loop comes to what is due."""
    now = asyncio.get_running_loop().time
    while True:
        due = now() + PULSE
        await asyncio.sleep(PULSE)
        lag.observe(now() - due)


async def _probed(ask: Callable[[], Awaitable[Report]], _: web.BaseRequest) -> web.StreamResponse:
    return as_response(await ask())


def as_response(report: Report) -> web.Response:
    """Return a report as probes read it."""
    return web.json_response(
        report.body, status=200 if report.is_well else 503, headers={"Cache-Control": "no-store"}
    )


def _is_here(request: web.BaseRequest) -> bool:
    hosts = request.headers.getall("Host", ())
    name = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
    return is_loopback(request.remote or "") and name is not None and is_loopback(name)
