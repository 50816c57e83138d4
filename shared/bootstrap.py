"""Opens what the settings name, and runs a process from its settings to its last message.

The only module that names an adapter.
"""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import ModuleType
from typing import Protocol

import structlog

from shared import logs
from shared.admin import Admin
from shared.admin import open_admin as _open_admin
from shared.bus import inspection as bus_inspection
from shared.bus.base import Bus
from shared.bus.inspection import BrokerFacts
from shared.bus.memory import MemoryBus
from shared.bus.rabbit import open_rabbit
from shared.bus.traced import traced
from shared.context import Clock, SystemClock
from shared.health import Health, remembered
from shared.keys import KeysError
from shared.metrics import Metrics
from shared.settings import Settings, SettingsError, load
from shared.storage import inspection as storage_inspection
from shared.storage import key_use as storage_key_use
from shared.storage import sql
from shared.storage.base import AuthStore, ReadStore, StoreUnavailable, TokenStore, Watched
from shared.storage.household import HouseholdRows, open_household_rows
from shared.storage.inspection import DatabaseFacts
from shared.storage.key_use import KeyUse
from shared.storage.schema import VERSION
from shared.storage.version import current
from shared.traces import NoTraces, Traces

UNUSABLE = 2
"""Exit status of a process that was told something it cannot work with."""
_WAITS = (1, 2, 5, 10)

Serve = Callable[[Settings, asyncio.Event], Awaitable[None]]

log = structlog.get_logger(__name__)


class _Workplace(Protocol):
    @property
    def store(self) -> Watched: ...

    @property
    def health(self) -> Health: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def clock(self) -> Clock: ...


@asynccontextmanager
async def open_bus(settings: Settings, admin: Admin | None = None) -> AsyncIterator[Bus]:
    """Open the bus that the broker URL names."""
    url, admin = settings.broker_url.get_secret_value(), admin or Admin()
    now, metrics = SystemClock().now, admin.metrics
    if url.startswith("memory://"):
        async with MemoryBus(now=now, metrics=metrics) as bus:
            yield traced(bus, admin.traces)
    else:
        async with open_rabbit(
            url,
            prefix=settings.bus_prefix,
            declares=settings.broker_declare,
            now=now,
            metrics=metrics,
        ) as rabbit:
            yield traced(rabbit, admin.traces)


@asynccontextmanager
async def open_admin(settings: Settings, service: str) -> AsyncIterator[Admin]:
    """Open what this process shows whoever runs it, and where its traces go."""
    traces: Traces = NoTraces()
    if settings.traces_url is not None:
        from shared import otel  # noqa: PLC0415 - an extra, and large: only where it is wanted

        traces = otel.to_collector(settings.traces_url, service, share=settings.traces_share)
    try:
        async with _open_admin(settings.admin_listen, traces) as admin:
            yield admin
    finally:
        await traces.close()


def open_read_store(settings: Settings) -> AbstractAsyncContextManager[ReadStore]:
    """Open the gateway's store."""
    return sql.open_read_store(
        _database(settings), pool_size=settings.database_pool, pgbouncer=settings.database_pgbouncer
    )


def open_auth_store(
    settings: Settings, metrics: Metrics | None = None
) -> AbstractAsyncContextManager[AuthStore]:
    """Open auth_worker's store."""
    return sql.open_auth_store(
        _database(settings),
        pool_size=settings.database_pool,
        pgbouncer=settings.database_pgbouncer,
        metrics=metrics,
    )


def open_token_store(
    settings: Settings, metrics: Metrics | None = None
) -> AbstractAsyncContextManager[TokenStore]:
    """Open token_worker's store."""
    return sql.open_token_store(
        _database(settings),
        pool_size=settings.database_pool,
        pgbouncer=settings.database_pgbouncer,
        metrics=metrics,
    )


def open_rows(settings: Settings) -> AbstractAsyncContextManager[HouseholdRows]:
    """Open what shows rows as they stand."""
    return open_household_rows(_database(settings))


def schema_versions() -> tuple[str, str]:
    """Return the migration that this code needs, and the last one that it has."""
    return VERSION, _migrations().head()


async def inspect_database(settings: Settings) -> DatabaseFacts:
    """Look at the database.

    Raises:
        StoreUnavailable: it does not answer.
    """
    return await storage_inspection.inspect(_database(settings), pgbouncer=settings.database_pgbouncer)


async def key_use(settings: Settings, *, signing: str, derivation: str, since: int) -> KeyUse:
    """Count what still depends on keys that were used until *since*.

    Raises:
        StoreUnavailable: the database does not answer, or does not let us see the tables.
    """
    url, idle = _database(settings), settings.tokens.idle
    return await storage_key_use.key_use(url, signing=signing, derivation=derivation, since=since, idle=idle)


async def inspect_broker(settings: Settings) -> BrokerFacts:
    """Look at the broker.

    Raises:
        BusUnavailable: it does not answer.
    """
    return await bus_inspection.inspect(settings.broker_url.get_secret_value(), prefix=settings.bus_prefix)


def migrate_database(settings: Settings) -> str:
    """Bring the database to the schema of this version, and return that schema's name."""
    url = _database(settings)
    if current(url) != VERSION:
        _migrations().upgrade(url)
    return VERSION


async def _not_begun() -> str | None:
    return "not received yet"


def watch_store(service: str, context: _Workplace) -> None:
    """Let a process count as begun, and as ready, when its store is fit for work; and tell how the store is."""
    store, metrics = context.store, context.metrics

    async def check() -> str | None:
        try:
            await store.check()
        except StoreUnavailable as error:
            log.warning("not ready", reason=str(error))
            return "not answering, or not migrated"
        return None

    async def measure() -> None:
        # First, since the question of the time waits for a connection, in vain when there is none to spare.
        found = store.connections()
        metrics.connections.set(found.used, service, "used")
        metrics.connections.set(found.most, service, "most")
        metrics.clock_offset.forget(service)
        with suppress(StoreUnavailable):
            before = context.clock.now()
            at = await store.database_time()
            # The answer may have been long on its way; what that explains is no difference of clocks.
            metrics.clock_offset.set(at - min(max(at, before), context.clock.now()), service)

    context.health.begun["database"] = context.health.fit["database"] = remembered(check)
    metrics.sources.append(measure)


async def wait_for_store(service: str, context: _Workplace, *, stop: asyncio.Event) -> None:
    """Return when the store is fit for work, or *stop* is set; says every few seconds what is missing."""
    watch_store(service, context)
    context.health.fit["messages"] = _not_begun
    attempt = 0
    while not stop.is_set():
        try:
            await context.store.check()
        except StoreUnavailable as error:
            wait = _WAITS[min(attempt, len(_WAITS) - 1)]
            log.warning("waiting for the database", reason=str(error), again_in_s=wait)
        else:
            return
        attempt += 1
        await pause(stop, wait)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for *seconds*, or until *stop* is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def run_process(serve: Serve, **arguments: object) -> None:
    """Run one process: read its settings, serve until SIGTERM or SIGINT, finish what was begun.

    Args:
        serve: gets the settings and an event that is set when it has to finish.
        arguments: settings that are stronger than every other source.
    """
    problems: list[str] = []
    try:
        settings = load(**arguments)
        logs.configure(level=settings.log_level, format=settings.log_format)
        # What is there by now stays: a hundred thousand objects of modules. Looked through each time, they would hold up everybody
        # for tens of milliseconds.
        gc.freeze()
        with _runner() as runner:
            runner.run(_until_stopped(serve, settings))
    except* (SettingsError, KeysError) as errors:
        # By itself, or from one of several services in one process.
        problems = [str(error) for error in errors.exceptions]
    if problems:
        sys.stderr.write("latchkey cannot start:\n" + "\n".join(problems) + "\n")
        raise SystemExit(UNUSABLE)


async def _until_stopped(serve: Serve, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, stop)


def _runner() -> asyncio.Runner:
    try:
        import uvloop  # noqa: PLC0415 - an extra: used where it is installed
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _migrations() -> ModuleType:
    """Import Alembic only when it is needed: it takes 8 MB, and a tenth of a second of every start."""
    from shared.storage import migrate  # noqa: PLC0415

    return migrate


def _database(settings: Settings) -> str:
    return settings.database_url.get_secret_value()
