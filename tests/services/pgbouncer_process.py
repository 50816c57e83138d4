"""Runs a private PgBouncer in front of a PostgreSQL; lives in the keeper's process (see `keeper`)."""

import shutil
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tests.services.system import (
    ServiceMissing,
    find_program,
    free_ports,
    hand_over,
    launch,
    service_user,
    wait_until,
)

HINT = "needs PgBouncer: `make services` as root installs it"

CONFIGURATION = """\
[databases]
* = host={host} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
"""
POOL_SIZE = 3
"""Fewer than clients have at a time, so that none of them finds its connection again."""


class PgBouncerProcess:
    """One PgBouncer: its port and its process."""

    def __init__(self, folder: Path, server_url: str) -> None:
        self._user = service_user("postgres", HINT)
        program = find_program("pgbouncer", [Path("/usr/sbin")])
        if program is None:
            raise ServiceMissing(HINT)
        self._program = program
        self._folder = folder
        self._server = urlsplit(server_url)
        self._log = folder / "pgbouncer.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def open(self) -> dict[str, str]:
        """Start it and say where it is, as a URL of the server's own database."""
        self._folder.mkdir()
        (self._port,) = free_ports(1)
        configuration = CONFIGURATION.format(
            host=self._server.hostname,
            server_port=self._server.port,
            port=self._port,
            folder=self._folder,
            pool_size=POOL_SIZE,
        )
        (self._folder / "pgbouncer.ini").write_text(configuration)
        (self._folder / "users").write_text(f'"{self._server.username}" "{self._server.password or ""}"\n')
        self._log.touch()
        hand_over(self._folder, self._user)
        self.start()
        address = self._server._replace(netloc=f"{self._server.username}@127.0.0.1:{self._port}")
        return {"url": address.geturl(), "log": str(self._log)}

    def start(self) -> None:
        """Start it on its port and wait until it takes connections."""
        self._process = launch(
            [self._program, self._folder / "pgbouncer.ini"],
            user=self._user,
            folder=self._folder,
            environment={},
            log=self._log,
        )
        wait_until(self._is_ready, process=self._process, seconds=30, log=self._log)

    def stop(self) -> None:
        """End it at once; clients are cut."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it and remove what it wrote."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=5).close()
        except OSError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._process = None
