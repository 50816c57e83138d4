"""What a test does with a PostgreSQL: takes a database of its own; stops or kills a server of its own."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

#: Brings the schema of the database at a SQLAlchemy URL up to date.
Migrate = Callable[[str], None]


class PostgresServer:
    """A running PostgreSQL that hands out databases."""

    def __init__(self, facts: Mapping[str, Any], control: Callable[[str], object] | None = None) -> None:
        #: The maintenance database, as a role that may do everything; `postgresql://...`, as asyncpg takes it.
        self.url: str = facts["url"]
        #: The data folder and the log, when the server is ours.
        self.data = Path(facts["data"]) if "data" in facts else None
        self.log = Path(facts["log"]) if "log" in facts else None
        self._prefix = f"latchkey_test_{facts['run']}_"
        self._control = control
        self._has_template = False

    def empty_database(self) -> str:
        """Create a database with nothing in it and return its SQLAlchemy URL."""
        name = self._new_name()
        self._execute(f'CREATE DATABASE "{name}"')
        return self._sqlalchemy_url(name)

    def migrated_database(self, migrate: Migrate) -> str:
        """Create a database with the whole schema and return its SQLAlchemy URL.

        *migrate* runs once per test run, on a template; every database after that is a copy of it.
        """
        if not self._has_template:
            aside(lambda: self._make_template(migrate))
            self._has_template = True
        name = self._new_name()
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        return self._sqlalchemy_url(name)

    def drop(self, sqlalchemy_url: str) -> None:
        """Drop a database that was handed out, even when somebody still has it open."""
        self._execute(f'DROP DATABASE IF EXISTS "{urlsplit(sqlalchemy_url).path[1:]}" WITH (FORCE)')

    def drop_everything(self) -> None:
        """Drop every database of this run."""
        aside(self._drop_everything)

    def start(self) -> None:
        """Start it again after `stop` or `kill`; only for a server of the test's own."""
        self._order("start")

    def stop(self) -> None:
        """Shut it down fast: sessions are cut, what is committed is written."""
        self._order("stop")

    def kill(self) -> None:
        """End it as a crash does."""
        self._order("kill")

    @property
    def _template(self) -> str:
        return f"{self._prefix}template"

    def _new_name(self) -> str:
        return f"{self._prefix}{secrets.token_hex(6)}"

    def _sqlalchemy_url(self, name: str) -> str:
        return urlsplit(self.url)._replace(scheme="postgresql+asyncpg", path=f"/{name}").geturl()

    def _order(self, act: str) -> None:
        assert self._control is not None, "this server is shared; ask for the fixture own_postgres"
        self._control(act)

    def _execute(self, statement: str) -> None:
        def work() -> None:
            with _connected(self.url) as database:
                database.execute(statement)

        aside(work)

    def _make_template(self, migrate: Migrate) -> None:
        building = f"{self._template}_building"
        with _connected(self.url) as database:
            # Test processes come here together; the first one builds, the others wait and find it built.
            database.value("SELECT pg_advisory_lock(hashtext($1))", self._template)
            if database.value("SELECT count(*) FROM pg_database WHERE datname = $1", self._template):
                return
            database.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
            database.execute(f'CREATE DATABASE "{building}"')
            migrate(self._sqlalchemy_url(building))
            database.execute(f'ALTER DATABASE "{building}" RENAME TO "{self._template}"')

    def _drop_everything(self) -> None:
        with _connected(self.url) as database:
            for name in database.column(
                "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", self._prefix
            ):
                database.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class _Connection:
    """A connection for code that is not asynchronous."""

    def __init__(self, runner: asyncio.Runner, connection: Any) -> None:
        self._runner = runner
        self._connection = connection

    def execute(self, statement: str) -> None:
        """Run *statement*."""
        self._runner.run(self._connection.execute(statement))

    def value(self, query: str, *arguments: object) -> Any:
        """Return the first column of the first row."""
        return self._runner.run(self._connection.fetchval(query, *arguments))

    def column(self, query: str, *arguments: object) -> list[Any]:
        """Return the first column of every row."""
        return [row[0] for row in self._runner.run(self._connection.fetch(query, *arguments))]


@contextmanager
def _connected(url: str) -> Iterator[_Connection]:
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url))
        try:
            yield _Connection(runner, connection)
        finally:
            runner.run(connection.close())


def aside(work: Callable[[], None]) -> None:
    """Do *work* in a thread, where no event loop is running: an async fixture may ask for a database too."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(work).result()
