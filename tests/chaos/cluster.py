"""What is broken: two gateways, two of each worker, PostgreSQL and RabbitMQ of their own, and a cable to each server."""

import asyncio
import contextlib
import itertools
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from shared.storage.migrate import upgrade
from tests.chaos.households import Household
from tests.chaos.ledger import Ledger
from tests.chaos.proxies import Cable, cable
from tests.play.database import execute
from tests.play.operator import Process, System, add_account, deployment
from tests.services.keeper import Keeper
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer

SETTLE_SECONDS = 90.0
"""How long, after a fault has ended, households may take until everything is well again."""
ARRIVAL_SECONDS = 12.0
"""Households come one after the other in this time, so that a fault meets them in every state."""
ACCOUNTS = 4
"""So many people share the households: two of them linking at a time is a case of its own."""
SERVICES = ("gateway", "gateway", "auth_worker", "auth_worker", "token_worker", "token_worker")
TRACEBACK = "Traceback (most recent call last)"

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Cluster:
    """The whole system, with its hands on every plug."""

    system: System
    postgres: PostgresServer
    rabbit: RabbitServer
    postgres_cable: Cable
    rabbit_cable: Cable
    victim_cables: tuple[Cable, Cable]
    """To the database and to the broker, for one process that is struck."""
    database_url: str
    """Straight to the server, for who looks at the rows."""
    begins_again: bool = False
    """Whether households may begin again when their link has failed."""
    ledger: Ledger = field(default_factory=Ledger)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def start(self, service: str) -> None:
        """Start one more process of a service."""
        name = f"{service}-{next(self._numbers)}"
        if service == "gateway":
            self.system.start_gateway(name)
        else:
            self.system.start(name, ("-m", service))

    def start_victim(self, service: str) -> Process:
        """Start a process with cables of its own, so that it can be struck at a certain moment of what it says."""
        environment = {
            "LATCHKEY_DATABASE_URL": self.victim_cables[0].url,
            "LATCHKEY_BROKER_URL": self.victim_cables[1].url,
        }
        if service == "gateway":
            environment["LATCHKEY_LISTEN"] = self.system.gateways[0].removeprefix("http://")
        process = self.system.start(f"{service}-victim-{next(self._numbers)}", ("-m", service), **environment)
        self.system.processes.pop()
        return process

    def kill(self, index: int) -> None:
        """Kill a process, and start another in its place, on the same port if it is a gateway."""
        process = self.system.processes[index]
        process.kill()
        self.system.processes[index] = self.restarted(index)

    def restarted(self, index: int) -> Process:
        """Start again what stood at this place."""
        service, name = SERVICES[index], f"{SERVICES[index]}-{next(self._numbers)}"
        environment = {}
        if service == "gateway":
            environment["LATCHKEY_LISTEN"] = self.system.gateways[index].removeprefix("http://")
        process = self.system.start(name, ("-m", service), **environment)
        self.system.processes.pop()
        return process

    def signal(self, service: str, number: signal.Signals) -> None:
        """Send a signal to every process of a service."""
        for process, kind in zip(self.system.processes, SERVICES, strict=False):
            if kind == service:
                process.popen.send_signal(number)

    @contextlib.contextmanager
    def fault(self) -> Iterator[None]:
        """Mark the time in which a fault lasts, so that what households see in it is told apart."""
        self.ledger.during_fault = True
        try:
            yield
        finally:
            self.ledger.during_fault = False

    @contextlib.asynccontextmanager
    async def traffic(self, households: int) -> AsyncIterator[None]:
        """Let households live while the block runs; afterwards all of them have to come to a good end."""
        stop = asyncio.Event()
        lives = [
            asyncio.create_task(
                Household(
                    f"Sonos_chaos{number:04}{secrets.token_hex(6)}",
                    list(self.system.gateways),
                    self.ledger,
                    stop,
                    account=account(number % ACCOUNTS),
                    begins_again=self.begins_again,
                ).live(after=ARRIVAL_SECONDS * number / households)
            )
            for number in range(households)
        ]
        try:
            yield
            stop.set()
            _, late = await asyncio.wait(lives, timeout=SETTLE_SECONDS)
        finally:
            for life in lives:
                life.cancel()
            ended = await asyncio.gather(*lives, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                self.ledger.surprise(f"a household ended with {error!r:.200}")
        log.info("households came to rest", late=len(late))

    async def duplicated(self) -> int:
        """Count the accounts that have more than one grant in a household."""
        rows = await execute(
            self.database_url,
            "SELECT count(*) FROM grants GROUP BY account_id, household_id, service HAVING count(*) > 1",
        )
        return len(rows)

    def look_at_logs(self) -> None:
        """Find what may not stand in any log."""
        for process in self.system.processes:
            text = process.log.read_text(errors="replace")
            if TRACEBACK in text:
                place = text.index(TRACEBACK)
                self.ledger.surprise(
                    f"traceback in the log of {process.name}: {text[max(0, place - 400) : place + 1500]}"
                )


@contextlib.asynccontextmanager
async def open_cluster(
    keeper: Keeper, *, settings: dict[str, str], begins_again: bool = False
) -> AsyncIterator[Cluster]:
    """Start servers, cables and processes; in the end stop all of it, whatever state it is in."""
    names = {kind: f"{kind}-{secrets.token_hex(4)}" for kind in ("postgres", "rabbit")}
    facts = {kind: await asyncio.to_thread(keeper.open, kind, name) for kind, name in names.items()}
    postgres = PostgresServer(facts["postgres"], lambda act: keeper.order(act, names["postgres"]))
    rabbit = RabbitServer(facts["rabbit"], lambda act: keeper.order(act, names["rabbit"]))
    try:
        database_url = await asyncio.to_thread(postgres.migrated_database, _migrate)
        async with (
            cable(database_url) as to_postgres,
            cable(rabbit.url) as to_rabbit,
            cable(database_url) as victim_to_postgres,
            cable(rabbit.url) as victim_to_rabbit,
        ):
            with (
                tempfile.TemporaryDirectory(prefix="latchkey-chaos-") as folder,
                _deployed(Path(folder), to_postgres.url, to_rabbit.url, settings) as system,
            ):
                for number in range(ACCOUNTS):
                    name, password = account(number)
                    await add_account(system, name, password)
                cluster = Cluster(
                    system=system,
                    postgres=postgres,
                    rabbit=rabbit,
                    postgres_cable=to_postgres,
                    rabbit_cable=to_rabbit,
                    victim_cables=(victim_to_postgres, victim_to_rabbit),
                    database_url=database_url,
                    begins_again=begins_again,
                )
                for service in SERVICES:
                    cluster.start(service)
                await system.ready()
                yield cluster
                cluster.look_at_logs()
    finally:
        for name in names.values():
            await asyncio.to_thread(keeper.order, "close", name)


@contextlib.contextmanager
def _deployed(folder: Path, database_url: str, broker_url: str, settings: dict[str, str]) -> Iterator[System]:
    """A deployment whose processes are ended the hard way: how well they end in peace is tested elsewhere."""
    extra = {"LATCHKEY_LOG_LEVEL": "info", **settings}
    with deployment(folder, database_url=database_url, broker_url=broker_url, extra=extra) as system:
        try:
            yield system
        finally:
            for process in system.processes:
                process.popen.send_signal(signal.SIGCONT)
                process.kill()
            system.processes.clear()


def _migrate(database_url: str) -> None:
    upgrade(database_url)


def account(number: int) -> tuple[str, str]:
    """Return name and password of one of the people."""
    return f"person-{number}", f"canary-password-of-person-{number}"
