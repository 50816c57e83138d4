"""Running deployments: all three services in one process on each pair of adapters, and as four processes."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.person import Person
from tests.play.sonos import Sonos

ON_SERVERS = ["memory-postgres", "rabbit-sqlite", "processes"]
"""The last is RabbitMQ with PostgreSQL."""
FORMS = ["memory-sqlite", *(pytest.param(form, marks=pytest.mark.services) for form in ON_SERVERS)]


@pytest.fixture(params=FORMS)
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """A deployment with one account, ready to link, in each of the forms it can take."""
    broker, _, database = request.param.partition("-")
    separate = request.param == "processes"
    postgres = separate or database == "postgres"
    database_url = request.getfixturevalue("postgres_url" if postgres else "sqlite_url")
    broker_url = "memory://" if broker == "memory" else request.getfixturevalue("rabbit_url")
    with deployment(tmp_path, database_url=database_url, broker_url=broker_url) as prepared:
        await add_account(prepared)
        if separate:
            start_separately(prepared)
        else:
            prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


@pytest.fixture
async def processes(postgres_url: str, rabbit_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """Four processes: two gateways and one of each worker."""
    with deployment(tmp_path, database_url=postgres_url, broker_url=rabbit_url) as prepared:
        await add_account(prepared)
        start_separately(prepared)
        await prepared.ready()
        yield prepared


@pytest.fixture
async def embedded(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """One process on SQLite and the in-process bus: where the form does not matter, this is the fastest."""
    async with started(tmp_path, sqlite_url) as prepared:
        yield prepared


@asynccontextmanager
async def started(
    folder: Path, database_url: str, broker_url: str = "memory://", **environment: str
) -> AsyncIterator[System]:
    """One process with settings of its own, and one account."""
    with deployment(folder, database_url=database_url, broker_url=broker_url, extra=environment) as prepared:
        await add_account(prepared)
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


@pytest.fixture(scope="module")
def running(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One process that all tests of a module share: for those that leave nothing behind which others would notice."""
    folder = tmp_path_factory.mktemp("running")
    shutil.copyfile(sqlite_template, folder / "latchkey.db")
    url = f"sqlite+aiosqlite:///{folder / 'latchkey.db'}"
    with deployment(folder, database_url=url, broker_url="memory://") as prepared:
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        asyncio.run(prepared.ready())
        yield prepared


def start_separately(system: System) -> None:
    """Start two gateways and one of each worker."""
    system.start_gateway("gateway-1")
    system.start_gateway("gateway-2")
    system.start("auth-worker", ("-m", "auth_worker"))
    system.start("token-worker", ("-m", "token_worker"))


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """What Sonos speaks HTTP with; no cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
def sonos(http: aiohttp.ClientSession, request: pytest.FixtureRequest) -> Sonos:
    """A household's Sonos, aimed at the deployment that the test asked for."""
    name = next(
        name for name in ("system", "processes", "embedded", "running") if name in request.fixturenames
    )
    return Sonos(http, request.getfixturevalue(name).endpoint)


@pytest.fixture
async def person() -> AsyncIterator[Person]:
    """A person with a browser."""
    async with Person() as somebody:
        yield somebody
