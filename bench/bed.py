"""The test bed: servers and processes, each on its core, and one measurement on them."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench import load, processes
from bench.stock import Stock
from shared.settings import Settings
from shared.settings import load as load_settings
from shared.storage.migrate import upgrade
from tests.play.operator import Process, System, deployment
from tests.play.ports import free_port
from tests.services.keeper import PROJECT, running_keeper
from tests.services.postgres import PostgresServer, aside
from tests.services.rabbit import RabbitServer

_NAP = 0.05
_AT_WORK = ("worker started", "latchkey consuming")
"""What a worker has logged when its queues are its own."""
_PATIENCE = 60


@dataclass(kw_only=True)
class Bed:
    """PostgreSQL, RabbitMQ, an installation of Latchkey with nothing running yet, and the cores for each."""

    postgres: PostgresServer
    rabbit: RabbitServer
    system: System
    folder: Path
    server_core: set[int]
    """Where the one process is pinned that is measured."""
    other_cores: set[int]
    """Where all else runs: the load, the database, the broker, the workers."""
    pids: dict[str, list[int]] = field(default_factory=dict)
    """Part of the system -> its processes."""
    _cores: dict[str, set[int]] = field(default_factory=dict)
    _files: int = 0
    _everywhere: bool = False

    @property
    def settings(self) -> Settings:
        """Return the installation's settings."""
        environment = self.system.environment
        return load_settings(
            database_url=environment["LATCHKEY_DATABASE_URL"],
            broker_url=environment["LATCHKEY_BROKER_URL"],
            keys_dir=self.system.keys_dir,
            public_url=environment["LATCHKEY_PUBLIC_URL"],
        )

    @property
    def stock(self) -> Stock:
        """Return what fills the database."""
        return Stock(self.settings)

    @contextmanager
    def beside(self, name: str) -> Iterator["Bed"]:
        """Prepare another installation on the same servers and cores."""
        (folder := self.folder / name).mkdir()
        with _installation(self.postgres, self.rabbit, folder, {}) as system:
            yield Bed(
                postgres=self.postgres,
                rabbit=self.rabbit,
                system=system,
                folder=folder,
                server_core=self.server_core,
                other_cores=self.other_cores,
            )

    async def start_gateway(self, name: str = "gateway") -> int:
        """Start a gateway on the measured core, wait until it is ready, and return its port."""
        process = self.system.start_gateway(name)
        await self.system.ready()
        self.place(name, [process.popen.pid], self.server_core)
        return int(self.system.gateways[-1].rpartition(":")[2])

    async def start_worker(self, module: str, *, name: str = "") -> Process:
        """Start a worker beside the load, and wait until messages reach it."""
        process = self.system.start(name or module, ("-m", module))
        async with asyncio.timeout(_PATIENCE):
            while not all(word in process.log.read_text() for word in _AT_WORK):
                self.system.expect_alive()
                await asyncio.sleep(_NAP)
        self.place(name or module, [process.popen.pid], self.other_cores)
        return process

    def stop(self, *names: str) -> None:
        """Stop processes of ours in good order."""
        for process in [each for each in self.system.processes if each.name in names]:
            process.stop()
            self.system.processes.remove(process)
            self.pids.pop(process.name, None)

    def place(self, name: str, pids: Sequence[int], cores: set[int]) -> None:
        """Remember a part of the system, and put it on its cores."""
        self.pids[name], self._cores[name] = list(pids), cores
        processes.pin(pids, self._allowed(cores))

    @contextmanager
    def unpinned(self) -> Iterator[None]:
        """Let every part run on every core meanwhile, for what is about all of them together."""
        self._everywhere = True
        try:
            yield
        finally:
            self._everywhere = False
            for name, pids in self.pids.items():
                processes.pin(pids, self._cores[name])

    def _allowed(self, cores: set[int]) -> set[int]:
        return self.server_core | self.other_cores if self._everywhere else cores

    async def settle(self) -> None:
        """Find the children of all processes, which come and go, and put them where they belong."""
        for name, pid in (("postgres", _postmaster(self.postgres)), ("rabbit", _beam(self.rabbit))):
            if pid is not None:
                self._cores[name] = self.other_cores
                self.pids[name] = [pid]
        for name, pids in list(self.pids.items()):
            self.place(name, processes.family(pids[0]), self._cores[name])

    @contextmanager
    def running(
        self, name: str, command: Sequence[str], **environment: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run another server on the measured core."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=self.folder, env={**os.environ, **environment}
            )
        try:
            self.place(name, [popen.pid], self.server_core)
            yield popen
        finally:
            popen.terminate()
            try:
                popen.wait(timeout=_PATIENCE)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()
            self.pids.pop(name, None)

    @contextmanager
    def floor(self, constants: Sequence[str]) -> Iterator[int]:
        """Run the bare handlers, and give their port; constants as `bench.floor` takes them."""
        port = free_port()
        command = [sys.executable, "-m", "bench.floor", str(port), *constants]
        with self.running("floor", command, PYTHONPATH=str(PROJECT)) as process:
            wait_for_port(port, process)
            yield port

    async def measure(self, job: load.Job, requests: Sequence[bytes]) -> load.Measured:
        """Send requests from a process of its own."""
        await self.settle()
        self._files += 1
        job = msgspec.structs.replace(job, watched={**job.watched, **self.pids})
        job_file, requests_file = self.folder / f"job-{self._files}", self.folder / f"requests-{self._files}"
        job_file.write_bytes(msgspec.json.encode(job))
        load.write_requests(requests_file, requests)
        done = subprocess.run(
            [sys.executable, "-m", "bench.load", str(job_file), str(requests_file)],
            stdout=subprocess.PIPE,
            check=True,
            cwd=PROJECT,
            preexec_fn=lambda: os.sched_setaffinity(0, self._allowed(self.other_cores)),
        )
        requests_file.unlink()
        return msgspec.json.decode(done.stdout, type=load.Measured)


@asynccontextmanager
async def open_bed(**environment: str) -> AsyncIterator[Bed]:
    """Start private servers and prepare an installation; everything is gone in the end."""
    cores = processes.cores()
    # On the disk, where people have theirs: the tests' servers live in memory where there is plenty.
    os.environ.setdefault("TMPDIR", tempfile.gettempdir())
    with running_keeper() as keeper, tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        postgres = PostgresServer(keeper.open("durable postgres", "postgres"))
        rabbit = RabbitServer(keeper.open("rabbit", "rabbit"))
        with _installation(postgres, rabbit, Path(folder), environment) as system:
            yield Bed(
                postgres=postgres,
                rabbit=rabbit,
                system=system,
                folder=Path(folder),
                server_core={cores[-1]},
                other_cores=set(cores[:-1]) or {cores[-1]},
            )


@contextmanager
def _installation(
    postgres: PostgresServer, rabbit: RabbitServer, folder: Path, environment: Mapping[str, str]
) -> Iterator[System]:
    """Prepare a database, a virtual host and keys."""
    database_url = postgres.empty_database()
    aside(lambda: upgrade(database_url))
    settings = {"LATCHKEY_LOG_LEVEL": "info", "LATCHKEY_LOG_FORMAT": "json", **environment}
    with deployment(
        folder, database_url=database_url, broker_url=rabbit.add_vhost(), extra=settings
    ) as system:
        yield system


def wait_for_port(port: int, process: subprocess.Popen[bytes], *, seconds: float = 60) -> None:
    """Wait until somebody listens.

    Raises:
        RuntimeError: the process ended, or the time did.
    """
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(_NAP)
    raise RuntimeError(f"nobody listens on port {port}")


def _postmaster(postgres: PostgresServer) -> int | None:
    """Return the first process of a server of ours."""
    if postgres.data is None:
        return None
    return int((postgres.data / "postmaster.pid").read_text().splitlines()[0])


def _beam(rabbit: RabbitServer) -> int | None:
    """Return the process of a broker of ours."""
    if rabbit.data is None:
        return None
    return int((rabbit.data.parent / "pid").read_text())
