"""What is broken: two gateways, two of each worker, PostgreSQL and RabbitMQ of their own, and a cable to each server."""

import asyncio
import contextlib
import itertools
import secrets
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
import aiohttp
import structlog

from tests.chaos.households import Household
from tests.chaos.ledger import Ledger
from tests.chaos.proxies import Cable
from tests.play.database import execute
from tests.play.forger import Forger
from tests.play.operator import Process, System
from tests.services.keeper import Keeper
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer

SETTLE_SECONDS = 120.0
"""How long, after a fault has ended, households may take until everything is well again; on a quiet machine it is seconds."""
START_SECONDS = 90.0
"""How long six processes may take to start together; alone on a machine they need five."""
ARRIVAL_SECONDS = 12.0
"""Households come one after the other in this time, so that a fault meets them in every state."""
ACCOUNTS = 4
"""So many people share the households: two of them linking at a time is a case of its own."""
SERVICES = ("gateway", "gateway", "auth_worker", "auth_worker", "token_worker", "token_worker")
SETTINGS = {
    # All households come from one address, and sign in within seconds.
    "LATCHKEY_LINK__MAX_PASSWORD_FAILURES": "100",
    "LATCHKEY_LOG_LEVEL": "info",
}
TRACEBACK = "Traceback (most recent call last)"
PROVIDER, CLIENT_SECRET = "corp", "canary-client-secret-of-corp"
DATABASE_PASSWORD = "canary-database-password"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a system is made of."""

    settings: Sequence[tuple[str, str]] = ()
    """Names and values, on top of `SETTINGS`."""
    pgbouncer: bool = False
    """Whether the way to the database leads through PgBouncer in transaction mode."""
    provider: bool = False
    """Whether people may also sign in at an identity provider, `corp`, who is asked again whether they are there."""


PLAIN = Stage()
WITH_PROVIDER = Stage(provider=True, settings=(("LATCHKEY_LOG_LEVEL", "debug"),))
"""People sign in at an identity provider, too, and everything is logged that can be."""
BRIEF_CODES = Stage(settings=(("LATCHKEY_LINK__LIFETIME", "60"),))
"""Link codes that live for a minute, and a minute of grace."""


@dataclass(kw_only=True)
class Cluster:
    """The whole system, with its hands on every plug."""

    keeper: Keeper
    system: System
    postgres: PostgresServer
    rabbit: RabbitServer
    postgres_cable: Cable
    rabbit_cable: Cable
    victim_cables: tuple[Cable, Cable]
    """To the database and to the broker, for one process that is struck."""
    database_url: str
    """Straight to the server, for who looks at the rows."""
    forger: Forger
    """The identity provider, if the stage has one."""
    ledger: Ledger = field(default_factory=Ledger)
    begins_again: bool = False
    """Whether households may begin again when their link has failed."""
    surroundings: dict[str, dict[str, str]] = field(default_factory=dict)
    """Service -> what else is in the environment of its processes from their next start on."""
    opened: list[str] = field(default_factory=list)
    """Servers that an experiment has had started."""
    _read: dict[Path, int] = field(default_factory=dict)
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

    async def ready_victim(self, service: str) -> Process:
        """Start such a process, and wait until it is at work."""
        process = self.start_victim(service)
        async with asyncio.timeout(START_SECONDS):
            if service == "gateway":
                async with aiohttp.ClientSession() as http:
                    while not await self.system.is_ready(http, self.system.gateways[0]):
                        await asyncio.sleep(0.05)
            else:
                while "worker started" not in process.log.read_text():
                    await asyncio.sleep(0.05)
        return process

    def kill(self, index: int) -> None:
        """Kill a process, and start another in its place, on the same port if it is a gateway."""
        process = self.system.processes[index]
        process.kill()
        self.system.processes[index] = self.restarted(index)

    def restarted(self, index: int) -> Process:
        """Start again what stood at this place."""
        service, name = SERVICES[index], f"{SERVICES[index]}-{next(self._numbers)}"
        environment = dict(self.surroundings.get(service, {}))
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

    def places(self, *services: str) -> list[int]:
        """Return where the processes of some services stand."""
        return [index for index, kind in enumerate(SERVICES) if kind in services]

    def open_server(self, kind: str) -> tuple[str, dict[str, object]]:
        """Have one more server started; return its name and its facts."""
        name = f"{kind.split(maxsplit=1)[0]}-{secrets.token_hex(4)}"
        facts = self.keeper.open(kind, name)
        self.opened.append(name)
        return name, facts

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

    async def dead_letters(self) -> int:
        """Count the messages that were given up."""
        async with await aio_pika.connect(self.rabbit.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("latchkey.dead", passive=True)
            return int(queue.declaration_result.message_count or 0)

    async def ready(self) -> None:
        """Wait until every gateway says that links can be made."""
        await self.system.ready(START_SECONDS)

    async def look_whether_whole(self) -> None:
        """Find whether the system is as it was before: every process there, and links can be made."""
        try:
            await self.ready()
            self.system.expect_alive()
        except (AssertionError, TimeoutError) as error:
            self.ledger.surprise(f"the system is not whole afterwards: {error!r:.2000}")

    def look_at_logs(self) -> None:
        """Find what may not stand in any log, of the living and of the dead, since it was last looked at."""
        for log in sorted(self.system.folder.glob("*.log")):
            text = log.read_bytes()[self._read.get(log, 0) :].decode(errors="replace")
            self._read[log] = log.stat().st_size
            if TRACEBACK in text:
                place = text.index(TRACEBACK)
                self.ledger.surprise(
                    f"traceback in the log of {log.stem}: {text[max(0, place - 400) : place + 1500]}"
                )


def account(number: int) -> tuple[str, str]:
    """Return name and password of one of the people."""
    return f"person-{number}", f"canary-password-of-person-{number}"
