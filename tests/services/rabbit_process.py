"""Runs a private RabbitMQ; lives in the keeper's process (see `keeper`).

Everything here that looks roundabout was a failed boot once: the script is called directly, since the one on
the PATH changes folder and user; the port stands in the configuration file alone, since in the environment
too it fails with "address in use"; and epmd, Erlang's port registry, is started by us, since one that the
node starts for itself stays behind for ever.
"""

import base64
import http.client
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.services.system import (
    ServiceFailed,
    ServiceMissing,
    find_program,
    free_ports,
    hand_over,
    launch,
    service_user,
    wait_until,
)

HINT = "needs RabbitMQ: `make services` as root installs it, or set TEST_BROKER_URL (with its management plugin enabled)"

#: A first start takes five seconds alone on a machine, and a good deal more beside a busy test run.
START_SECONDS = 120

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
management_agent.disable_metrics_collector = true
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 200MB
"""


class RabbitProcess:
    """One RabbitMQ node of our own: its folder, its four ports, its port registry and its process."""

    def __init__(self, folder: Path) -> None:
        self._user = service_user("rabbitmq", HINT)
        self._bin = self._programs()
        self._epmd_program = _epmd()
        self._folder = folder
        self._output = folder / "output.log"
        self._environment: dict[str, str] = {}
        self._epmd: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._amqp = self._management = 0

    def open(self) -> dict[str, object]:
        """Make the folder, start the node and say where it is."""
        for last in (False, False, True):
            self._prepare()
            try:
                self.start()
            except ServiceFailed:
                self.close()
                if last:
                    raise
            else:
                break
        return {
            "url": f"amqp://guest:guest@127.0.0.1:{self._amqp}/",
            "management": f"http://guest:guest@127.0.0.1:{self._management}",
            "data": str(self._folder / "data"),
            "logs": str(self._folder / "log"),
            "rabbitmqctl": self._command("rabbitmqctl"),
            "user": self._starter,
            "environment": self._environment,
        }

    def start(self) -> None:
        """Start the node and wait until it takes connections and new virtual hosts."""
        self._process = self._launch(self._command("rabbitmq-server"), user=self._starter)
        wait_until(self._is_ready, process=self._process, seconds=START_SECONDS, log=self._output)

    def stop(self) -> None:
        """Shut down in good order, which takes RabbitMQ about six seconds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node the hard way, as a crash does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End the node and its port registry for good, and remove everything they wrote."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> None:
        self._amqp, self._management, distribution, epmd = free_ports(4)
        files = {
            "rabbitmq.conf": CONFIGURATION.format(amqp=self._amqp, management=self._management),
            "advanced.config": "[].",
            "environment.conf": "",
            "enabled_plugins": "[rabbitmq_management].",
            "output.log": "",
        }
        for folder in (self._folder, self._folder / "data", self._folder / "log"):
            folder.mkdir()
        for name, text in files.items():
            (self._folder / name).write_text(text)
        hand_over(self._folder, self._user)
        self._environment = _environment(self._folder, distribution, epmd)
        epmd_command = [str(self._epmd_program), "-address", "127.0.0.1", "-port", str(epmd)]
        self._epmd = self._launch(epmd_command, user=self._user)

    @property
    def _starter(self) -> str | None:
        """Who starts RabbitMQ's programs."""
        return self._user

    def _programs(self) -> Path:
        """Find the folder that has RabbitMQ's own scripts."""
        found = find_program("rabbitmq-server", [Path("/usr/lib/rabbitmq/bin")])
        if found is None:
            raise ServiceMissing(HINT)
        return found.parent

    def _command(self, program: str) -> list[str]:
        return [str(self._bin / program)]

    def _launch(self, command: Sequence[str], *, user: str | None) -> subprocess.Popen[bytes]:
        return launch(
            [*command], user=user, folder=self._folder, environment=self._environment, log=self._output
        )

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._amqp), timeout=5).close()
            return self._management_status("/api/vhosts/%2F") == http.HTTPStatus.OK
        except OSError:
            return False

    def _management_status(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._management, timeout=5)
        try:
            credentials = base64.b64encode(b"guest:guest").decode()
            connection.request("GET", path, headers={"Authorization": f"Basic {credentials}"})
            return connection.getresponse().status
        finally:
            connection.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, how)
        self._process.wait(timeout=60)
        self._process = None


class Rabbit4Process(RabbitProcess):
    """A node of RabbitMQ 4, out of the folder that `rabbit4.sh` makes."""

    @property
    def _starter(self) -> str | None:
        # Entering the folder takes root; inside, the server is the same user as ever.
        return None

    def _programs(self) -> Path:
        root = Path(os.environ.get("LATCHKEY_TEST_CACHE", "/var/cache/latchkey-tests")) / "rabbitmq-4"
        inside = Path("/usr/lib/rabbitmq/bin")
        if self._user is None or not (root / inside.relative_to("/") / "rabbitmq-server").exists():
            raise ServiceMissing("needs RabbitMQ 4: `tests/services/rabbit4.sh install` as root installs it")
        return inside

    def _command(self, program: str) -> list[str]:
        owner = pwd.getpwnam(str(self._user))
        script = Path(__file__).with_name("rabbit4.sh")
        identity = f"{owner.pw_uid}:{owner.pw_gid}"
        return [str(script), "run", identity, str(self._folder), *super()._command(program)]


def _environment(folder: Path, distribution: int, epmd: int) -> dict[str, str]:
    """Return the variables that keep a node, and the tools that talk to it, inside *folder* and on loopback."""
    return {
        "HOME": str(folder),
        # A name of its own: two nodes of one name on one machine would take each other for the same.
        "RABBITMQ_NODENAME": f"latchkey-{secrets.token_hex(4)}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        # Makes the script turn into the node, instead of waiting beside it and handing signals on.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }


def _epmd() -> Path:
    """Find Erlang's port registry."""
    found = find_program("epmd", sorted(Path("/usr/lib/erlang").glob("erts-*/bin"), reverse=True))
    if found is None:
        raise ServiceMissing(f"{HINT} (epmd, which comes with Erlang, was not found)")
    return found
