"""Runs a private PostgreSQL; lives in the keeper's process (see `keeper`)."""

import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.services.system import (
    POLL_SECONDS,
    ServiceFailed,
    ServiceMissing,
    find_program,
    free_ports,
    hand_over,
    identity,
    launch,
    service_user,
    wait_until,
)

HINT = "needs PostgreSQL: `make services` as root installs it, or set TEST_DATABASE_URL to a role that may create databases"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "max_wal_size": "256MB",
    # What a killed server has written survives without these: only a crash of the whole machine loses it,
    # and then nobody wants the test's data back. They make a database per test about ten times cheaper.
    "fsync": "off",
    "full_page_writes": "off",
}

#: What is measured is a server as people run it: durable, with memory to work in.
DURABLE = {
    **SETTINGS,
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "fsync": "on",
    "full_page_writes": "on",
}


class PostgresProcess:
    """One PostgreSQL of our own: its data folder, its port and its process."""

    def __init__(self, folder: Path, settings: Mapping[str, str] = SETTINGS) -> None:
        self._settings = settings
        self._user = service_user("postgres", HINT)
        self._bin = _programs()
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def open(self) -> dict[str, str]:
        """Make the data folder, start the server and say where it is."""
        self._folder.mkdir()
        self._log.touch()
        hand_over(self._folder, self._user)
        self._initialise()
        self._start_on_a_free_port()
        return {
            "url": f"postgresql://postgres@127.0.0.1:{self._port}/postgres",
            "run": secrets.token_hex(4),
            "data": str(self._data),
            "log": str(self._log),
        }

    def start(self) -> None:
        """Start the server on its port and wait until it accepts connections."""
        for _ in range(50):
            try:
                self._start()
            except ServiceFailed as failure:
                self.kill()
                # After a kill the sessions live on for a moment, and hold the memory a new server wants.
                if "still in use" not in str(failure):
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return

    def _start(self) -> None:
        settings = [
            f"--{name}={value}" for name, value in {**self._settings, "port": str(self._port)}.items()
        ]
        self._process = launch(
            [self._bin / "postgres", "-D", self._data, *settings],
            user=self._user,
            folder=self._folder,
            environment={},
            log=self._log,
        )
        wait_until(self._is_ready, process=self._process, seconds=60, log=self._log)

    def stop(self) -> None:
        """Shut down fast: sessions are cut, what is committed is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server the hard way, as a crash does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop the server for good and remove everything it wrote."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self) -> None:
        command: list[str | Path] = [
            self._bin / "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        command += ["--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        done = subprocess.run(
            command, check=False, cwd=self._folder, capture_output=True, text=True, **identity(self._user)
        )
        if done.returncode != 0:
            raise ServiceFailed(f"initdb failed:\n{done.stderr}")

    def _start_on_a_free_port(self) -> None:
        for last in (False, False, True):
            (self._port,) = free_ports(1)
            try:
                self.start()
            except ServiceFailed:
                if last:
                    raise
            else:
                return

    def _is_ready(self) -> bool:
        command: list[str | Path] = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(command, check=False).returncode == 0

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._process = None


class StandbyProcess(PostgresProcess):
    """A copy of another server that follows it, until it is promoted."""

    def __init__(self, folder: Path, primary_url: str) -> None:
        super().__init__(folder)
        self._primary_url = primary_url

    def _initialise(self) -> None:
        command: list[str | Path] = [self._bin / "pg_basebackup", "-d", self._primary_url, "-D", self._data]
        command += ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        done = subprocess.run(
            command, check=False, cwd=self._folder, capture_output=True, text=True, **identity(self._user)
        )
        if done.returncode != 0:
            raise ServiceFailed(f"pg_basebackup failed:\n{done.stderr}")


def _programs() -> Path:
    """Find the folder that has PostgreSQL's programs, the newest version first."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    found = find_program("postgres", versions[::-1])
    if found is None:
        raise ServiceMissing(HINT)
    return found.resolve().parent
