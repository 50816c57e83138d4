"""The operator: chooses settings, makes keys, starts processes, reads logs, stops them and expects a clean exit."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import aiohttp

from deploy import accounts
from shared import keys
from shared.context import SystemRandom
from shared.settings import load
from tests.play.database import execute
from tests.play.forked import Forked
from tests.play.person import NAME, PASSWORD
from tests.play.ports import free_port

EMBEDDED = "from deploy import embedded; from shared import bootstrap; bootstrap.run_process(embedded.serve)"
"""All three services in one process, on whatever the environment names."""
COMMAND = "from deploy.cli import main; main(prog_name='latchkey')"
"""What an operator types as `latchkey`."""
WORKERS = ("auth_worker", "token_worker")
"""Modules that are run as processes of their own, beside gateways."""
PATIENCE = 60.0
"""Seconds after which something that does not come is taken for broken."""


@dataclass(kw_only=True)
class Process:
    """One process of ours."""

    name: str
    popen: subprocess.Popen[bytes] | Forked
    log: Path
    admin: str = ""
    """Where it shows its health and metrics."""
    first_words: str = ""
    """What its log says when it has begun its work; before that it may know no signal yet."""

    @property
    def has_begun(self) -> bool:
        """Tell whether it has said so."""
        return self.first_words in self.log.read_text()

    def stop(self) -> None:
        """End it as a supervisor does, and expect that it ends well."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        status = self.popen.wait(timeout=PATIENCE)
        assert status == 0, f"{self.name} ended with {status}:\n{self.log.read_text()[-4000:]}"

    def kill(self) -> None:
        """End it as a crash does."""
        self.popen.kill()
        self.popen.wait(timeout=PATIENCE)


@dataclass(kw_only=True)
class System:
    """A running deployment."""

    begin: ClassVar[Callable[..., "subprocess.Popen[bytes] | Forked"]] = subprocess.Popen
    """Starts processes; the test suite takes `Forked`."""
    database_url: str
    folder: Path
    environment: dict[str, str]
    is_watched: bool = False
    """Whether processes get an admin address."""
    gateways: list[str] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """Return the first gateway's SMAPI endpoint."""
        return f"{self.gateways[0]}/smapi"

    @property
    def keys_dir(self) -> Path:
        """Return the key folder."""
        return self.folder / "keys"

    def logs(self) -> str:
        """Return all that was logged."""
        return "".join(process.log.read_text() for process in self.processes)

    def start(self, name: str, command: Sequence[str], **environment: str) -> Process:
        """Start a process whose output goes to a log of its own."""
        log = self.folder / f"{name}.log"
        admin = f"127.0.0.1:{free_port()}" if self.is_watched else ""
        if admin:
            environment["LATCHKEY_ADMIN_LISTEN"] = admin
        with log.open("ab") as output:
            popen = self.begin(
                [sys.executable, *command],
                env=self.environment | environment,
                stdout=output,
                stderr=output,
                cwd=self.folder,
            )
        process = Process(
            name=name,
            popen=popen,
            log=log,
            admin=f"http://{admin}",
            first_words="worker started" if command[-1] in WORKERS else "",
        )
        self.processes.append(process)
        return process

    async def run(self, *arguments: str, may_fail: bool = False) -> str:
        """Run the `latchkey` command to its end, in a process of its own, and return what it says."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", COMMAND, *arguments),
            env=self.environment,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert may_fail or process.returncode == 0, output.decode()
        return output.decode()

    async def until_all_grants_ended(self) -> None:
        """Wait until what was asked to be revoked is."""
        async with asyncio.timeout(PATIENCE):
            while await execute(self.database_url, "SELECT 1 FROM grants WHERE status = 'active'"):
                await asyncio.sleep(0.02)

    def start_gateway(
        self, name: str, command: Sequence[str] = ("-m", "gateway"), **environment: str
    ) -> Process:
        """Start a gateway, or something with a gateway in it, on a port of its own."""
        # The first gateway is the one at the public address; the others are reached by tests alone.
        public = urlsplit(self.environment["LATCHKEY_PUBLIC_URL"]).port
        port = free_port() if self.gateways else public
        self.gateways.append(f"http://127.0.0.1:{port}")
        return self.start(name, command, LATCHKEY_LISTEN=f"127.0.0.1:{port}", **environment)

    async def ready(self, patience: float = PATIENCE) -> None:
        """Wait until every gateway says that links can be made, and every worker has begun."""
        async with aiohttp.ClientSession() as http, asyncio.timeout(patience):
            for gateway in self.gateways:
                while not await self.is_ready(http, gateway):
                    self.expect_alive()
                    await asyncio.sleep(0.05)
            for process in self.processes:
                while not process.has_begun:
                    self.expect_alive()
                    await asyncio.sleep(0.05)

    def expect_alive(self) -> None:
        """Fail with the log of a process that ended by itself."""
        for process in self.processes:
            status = process.popen.poll()
            assert status is None, f"{process.name} ended with {status}:\n{process.log.read_text()[-4000:]}"

    async def is_ready(self, http: aiohttp.ClientSession, gateway: str) -> bool:
        """Tell whether a gateway says that links can be made."""
        try:
            async with http.get(f"{gateway}/readyz") as response:
                # Without the broker a gateway is ready, and begins no link.
                return (await response.json())["status"] == "ready"
        except aiohttp.ClientError:
            return False


@contextmanager
def deployment(
    folder: Path, *, database_url: str, broker_url: str, extra: Mapping[str, str] | None = None
) -> Iterator[System]:
    """Prepare a deployment: keys, settings, one account. Processes are started by the test, and stopped here."""
    keys.write(keys.create(SystemRandom().token_bytes), folder / "keys")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONUNBUFFERED": "1",
        "LATCHKEY_DATABASE_URL": database_url,
        "LATCHKEY_BROKER_URL": broker_url,
        "LATCHKEY_KEYS_DIR": str(folder / "keys"),
        "LATCHKEY_PUBLIC_URL": f"http://127.0.0.1:{free_port()}",
        "LATCHKEY_LOG_LEVEL": "debug",
        **(extra or {}),
    }
    system = System(database_url=database_url, folder=folder, environment=environment)
    try:
        yield system
        for process in system.processes:
            process.stop()
    finally:
        for process in system.processes:
            if process.popen.poll() is None:
                process.kill()


async def add_account(
    system: System, name: str = NAME, password: str = PASSWORD, *, service: str = "default"
) -> None:
    """Add a local account, as `latchkey accounts add` does."""
    settings = load(
        database_url=system.database_url,
        broker_url="memory://",
        keys_dir=system.keys_dir,
        public_url="http://127.0.0.1",
    )
    assert await accounts.add(settings, service=service, name=name, password=password)
