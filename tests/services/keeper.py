"""The process that owns the servers of one test run.

Tests may be spread over several processes that come and go, yet there shall be one server for all of them,
started when the first test asks, and ended whatever becomes of the others. So the servers are children of a
small process of their own. It takes orders over a local socket, one at a time for each server, and holds
the reading end of a pipe: when pytest ends, be it by a signal nobody can catch, the pipe closes, and the
keeper takes the servers down and the folder with them.
"""

import json
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tests.services.external import ExternalPostgres, ExternalRabbit
from tests.services.oidc_process import MockProcess, PanvaProcess
from tests.services.pgbouncer_process import PgBouncerProcess
from tests.services.postgres_process import DURABLE, PostgresProcess, StandbyProcess
from tests.services.rabbit_process import Rabbit4Process, RabbitProcess
from tests.services.system import (
    ServiceFailed,
    ServiceMissing,
    adopt_orphans,
    collect_orphans,
    run_folder,
)

PROJECT = Path(__file__).parents[2]

#: Longer than any single order takes.
ORDER_SECONDS = 400


class Server(Protocol):
    """What the keeper can do with a server, whichever it is."""

    def open(self) -> dict[str, Any]:
        """Bring the server into being, and return the facts that a test needs to use it."""

    def start(self) -> None:
        """Start it again after `stop` or `kill`."""

    def stop(self) -> None:
        """Stop it in good order."""

    def kill(self) -> None:
        """End it as a crash does."""

    def close(self) -> None:
        """End it and remove every trace."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """How a test process talks to the keeper."""

    address: Path

    def open(self, kind: str, name: str) -> dict[str, Any]:
        """Have the server *name* started, unless it already runs, and return its facts.

        Args:
            kind: one of `KINDS`; with ` of URL` behind it if it serves another server.
        """
        return self.order("open", name, kind)

    def order(self, act: str, name: str, kind: str = "") -> dict[str, Any]:
        """Have one thing done and wait until it is."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ORDER_SECONDS)
            connection.connect(str(self.address))
            connection.sendall(json.dumps([act, name, kind]).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline() or '{"failed": "the keeper is gone"}')
        if "missing" in answer:
            raise ServiceMissing(answer["missing"])
        if "failed" in answer:
            raise ServiceFailed(f"{name}: {answer['failed']}")
        facts: dict[str, Any] = answer["facts"]
        return facts


@contextmanager
def running_keeper() -> Iterator[Keeper]:
    """Start a keeper, and in the end wait until it has taken everything down."""
    folder = run_folder()
    address = folder / "keeper.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        address.chmod(0o600)
        listener.listen(64)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.keeper", str(listener.fileno()), str(folder)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    try:
        yield Keeper(address)
    finally:
        process.communicate(timeout=ORDER_SECONDS)


class Servers:
    """The servers the keeper has, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, Server] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def answer(self, order: list[str]) -> dict[str, Any]:
        """Carry out one *order* and say how it went."""
        act, name, kind = order
        try:
            with self._locks[name]:
                return {"facts": self._carry_out(act, name, kind)}
        except ServiceMissing as missing:
            return {"missing": str(missing)}
        except ServiceFailed as failure:
            return {"failed": f"{act}: {failure}"}
        except Exception as failure:  # noqa: BLE001 (whatever it was, the test that asked has to hear of it)
            return {"failed": f"{act}: {failure!r}"}

    def _carry_out(self, act: str, name: str, kind: str) -> dict[str, Any]:
        match act:
            case "open":
                return self._open(name, kind)
            case "start":
                self._servers[name].start()
            case "stop":
                self._servers[name].stop()
            case "kill":
                self._servers[name].kill()
            case "close":
                self._servers[name].close()
                del self._servers[name], self._facts[name]
        return {}

    def _open(self, name: str, kind: str) -> dict[str, Any]:
        if name not in self._servers:
            kind, _, served = kind.partition(" of ")
            server = KINDS[kind](self._folder / name, *filter(None, [served]))
            try:
                self._facts[name] = server.open()
            except BaseException:
                server.close()
                raise
            self._servers[name] = server
        return self._facts[name]

    def close(self) -> None:
        """End every server, whatever happens to the others."""
        for name, server in self._servers.items():
            try:
                server.close()
            except Exception as failure:  # noqa: BLE001 (the next one has to go too)
                print(f"{name} did not end in good order: {failure!r}", file=sys.stderr)


KINDS: dict[str, Callable[..., Server]] = {
    "postgres": PostgresProcess,
    "standby": StandbyProcess,
    "pgbouncer": PgBouncerProcess,
    "durable postgres": partial(PostgresProcess, settings=DURABLE),
    "external postgres": ExternalPostgres,
    "rabbit": RabbitProcess,
    "rabbit 4": Rabbit4Process,
    "external rabbit": ExternalRabbit,
    "panva": PanvaProcess,
    "mock": MockProcess,
}


def serve(listener: socket.socket, servers: Servers) -> None:
    """Take orders until the pipe from pytest closes, which nobody ever writes to."""
    with selectors.DefaultSelector() as selector, ThreadPoolExecutor() as threads:
        selector.register(listener, selectors.EVENT_READ)
        pipe = selector.register(sys.stdin.buffer, selectors.EVENT_READ)
        while pipe not in (ready := [key for key, _ in selector.select()]):
            for _ in ready:
                connection, _ = listener.accept()
                threads.submit(_take_order, connection, servers)


def _take_order(connection: socket.socket, servers: Servers) -> None:
    with connection:
        try:
            with connection.makefile("rb") as orders:
                order = json.loads(orders.readline())
            connection.sendall(json.dumps(servers.answer(order)).encode() + b"\n")
        except (OSError, ValueError) as failure:
            # Whoever asked has gone in the middle; the others still need us.
            print(f"an order was not answered: {failure!r}", file=sys.stderr)


def main() -> None:
    """Serve on the socket we were started with, and leave nothing behind."""
    listener, folder = socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    adopt_orphans()
    servers = Servers(folder)
    try:
        serve(listener, servers)
    finally:
        servers.close()
        collect_orphans(seconds=10)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
