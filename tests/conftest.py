"""Fixtures for tests that need a real server.

`postgres_url` and `rabbit_url` are what most tests want: a database with the schema in it, a virtual host
with nothing in it, both for one test alone, on servers that one test run shares. `own_postgres` and
`own_rabbit` are servers for one test alone, to stop, to kill, and to search the disk of.

Without the server installed such a test is skipped, with one line in the end that says what to do; where CI
is set it fails, since a check that silently checks nothing is worse than none.
"""

import gc
import logging
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
from hypothesis import settings

from shared import lines
from tests.play.forked import Forked
from tests.play.operator import System
from tests.services.browser import find_chromium
from tests.services.keeper import Keeper, running_keeper
from tests.services.postgres import PostgresServer, aside
from tests.services.prometheus import find_promtool
from tests.services.proxy import find_nginx
from tests.services.rabbit import RabbitServer
from tests.services.system import ServiceMissing
from tests.services.systemd import find_systemd_analyze

#: Marks a test that asks for a fixture, itself or through others, so that `-m "not services"` means what it says.
MARK_OF_FIXTURE = {
    "keeper": "services",
    "chromium": "browser",
    "nginx": "services",
    "systemd_analyze": "services",
}

# No test is about time; a machine that is busy with other things fails none.
settings.register_profile("latchkey", deadline=None)
settings.load_profile("latchkey")

_EXIT_STACK = pytest.StashKey[ExitStack]()
_KEEPER = pytest.StashKey[Keeper]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what has to be ended with the run."""
    config.stash[_EXIT_STACK] = ExitStack()
    System.begin = Forked


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers this process had started."""
    config.stash[_EXIT_STACK].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the one keeper of the run is."""
    node.workerinput["keeper"] = str(_keeper_of(node.config).address)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they use."""
    for item in items:
        for fixture in MARK_OF_FIXTURE.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARK_OF_FIXTURE[fixture])


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what is there to stay: walking through it takes 70 ms each time."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in one line per missing server how many tests that cost."""
    reports = terminalreporter.stats.get("skipped", ())
    reasons = (report.longrepr[2] for report in reports if isinstance(report.longrepr, tuple))
    for reason, count in Counter(reasons).items():
        if reason.startswith("Skipped: needs "):
            terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}", yellow=True)


def _keeper_of(config: pytest.Config) -> Keeper:
    if _KEEPER not in config.stash:
        config.stash[_KEEPER] = config.stash[_EXIT_STACK].enter_context(running_keeper())
    return config.stash[_KEEPER]


def _go_without(missing: ServiceMissing) -> NoReturn:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))


def _found(find: Callable[[], Path]) -> Path:
    try:
        return find()
    except ServiceMissing as missing:
        _go_without(missing)


def _open(keeper: Keeper, kind: str, name: str) -> dict[str, Any]:
    try:
        return keeper.open(kind, name)
    except ServiceMissing as missing:
        _go_without(missing)


def _migrate(database_url: str) -> None:
    from shared.storage.migrate import upgrade

    upgrade(database_url)


@pytest.fixture(scope="session", autouse=True)
def loggers_follow_what_is_configured() -> Iterator[None]:
    """A logger keeps nothing of an earlier test in whose process a command configured logging."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False})
        )
        yield


@pytest.fixture(autouse=True)
def configured_for_one_test_alone() -> Iterator[None]:
    """The stream that a test's lines go to is closed when it is over."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    if structlog.is_configured():
        root.setLevel(level)
        root.handlers[:] = handlers
        structlog.reset_defaults()
        lines.end()


@pytest.fixture(scope="session")
def keeper(request: pytest.FixtureRequest) -> Keeper:
    """The process that owns the servers of this run."""
    workerinput = getattr(request.config, "workerinput", None)
    return Keeper(Path(workerinput["keeper"])) if workerinput else _keeper_of(request.config)


@pytest.fixture(scope="session")
def postgres_server(keeper: Keeper) -> PostgresServer:
    """The PostgreSQL of this run, shared by all its tests."""
    kind = "external postgres" if "TEST_DATABASE_URL" in os.environ else "postgres"
    return PostgresServer(_open(keeper, kind, "shared-postgres"))


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with the whole schema and no rows, `postgresql+asyncpg://...`."""
    url = postgres_server.migrated_database(_migrate)
    yield url
    postgres_server.drop(url)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with nothing in it, to migrate in the test."""
    url = postgres_server.empty_database()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def own_postgres(keeper: Keeper) -> Iterator[PostgresServer]:
    """A PostgreSQL for this test alone: about half a second."""
    name = f"postgres-{secrets.token_hex(4)}"
    yield PostgresServer(_open(keeper, "postgres", name), lambda act: keeper.order(act, name))
    keeper.order("close", name)


@pytest.fixture(scope="session")
def rabbit_server(keeper: Keeper) -> RabbitServer:
    """The RabbitMQ of this run, shared by all its tests."""
    kind = "external rabbit" if "TEST_BROKER_URL" in os.environ else "rabbit"
    return RabbitServer(_open(keeper, kind, "shared-rabbit"))


@pytest.fixture
def rabbit_url(rabbit_server: RabbitServer) -> Iterator[str]:
    """A virtual host with nothing in it, `amqp://...`."""
    url = rabbit_server.add_vhost()
    yield url
    rabbit_server.delete_vhost(url)


@pytest.fixture
def own_rabbit(keeper: Keeper) -> Iterator[RabbitServer]:
    """A RabbitMQ for this test alone: about five seconds."""
    name = f"rabbit-{secrets.token_hex(4)}"
    yield RabbitServer(_open(keeper, "rabbit", name), lambda act: keeper.order(act, name))
    keeper.order("close", name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the whole schema, to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    aside(lambda: _migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database with the whole schema and no rows, `sqlite+aiosqlite:///...`."""
    path = tmp_path / "latchkey.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(scope="session")
def panva(keeper: Keeper) -> str:
    """The issuer of panva's `oidc-provider`; whoever types a name there is that person."""
    return str(_open(keeper, "panva", "panva")["issuer"])


@pytest.fixture(scope="session")
def oidc_mock(keeper: Keeper) -> str:
    """The issuer of `oidc-provider-mock`; ann is known there."""
    return str(_open(keeper, "mock", "oidc-mock")["issuer"])


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The machine's Chromium, for Playwright's `executable_path`."""
    return _found(find_chromium)


@pytest.fixture(scope="session")
def nginx() -> Path:
    """The machine's nginx."""
    return _found(find_nginx)


@pytest.fixture(scope="session")
def systemd_analyze() -> Path:
    """The machine's systemd-analyze."""
    return _found(find_systemd_analyze)


@pytest.fixture(scope="session")
def promtool() -> Path:
    """The machine's promtool, which comes with Prometheus."""
    return _found(find_promtool)
