"""Starts what deploy/compose.yaml says by podman, in the order of `depends_on`, as Docker's own compose does.

podman-compose cannot on podman 4.3: it has no way to wait for "healthy" there, and makes one container where `replicas` says two.
Whatever compose.yaml says that is not in the table below is an error, so that nothing is left out in silence.
"""

import asyncio
import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.play.operator import PATIENCE

FLAGS: dict[str, Callable[[Any], list[str]]] = {
    "read_only": lambda value: ["--read-only", "--read-only-tmpfs=false"] if value else [],
    "cap_drop": lambda value: [f"--cap-drop={each}" for each in value],
    # Podman spells it without its value.
    "security_opt": lambda value: [f"--security-opt={each.removesuffix(':true')}" for each in value],
    "stop_grace_period": lambda value: [f"--stop-timeout={value.removesuffix('s')}"],
    "environment": lambda value: [f"--env={name}={text}" for name, text in value.items()],
    "user": lambda value: [f"--user={value}"],
    "hostname": lambda value: [f"--hostname={value}"],
    "volumes": lambda value: [f"--volume=latchkey_{each}" for each in value],
    # To this machine alone.
    "ports": lambda value: [f"--publish=127.0.0.1:{each}" for each in value],
    "entrypoint": lambda value: [f"--entrypoint={json.dumps(value)}"],
    "healthcheck": lambda value: [
        f"--health-cmd={shlex.join(value['test'][1:])}",
        "--health-interval=disable",
        f"--health-retries={value.get('retries', 3)}",
    ],
}
"""What a service may say -> how podman is told."""
ELSEWHERE = {"image", "command", "networks", "configs", "secrets", "depends_on", "deploy"}
NOT_TRIED = {"build", "restart", "profiles"}
"""Nothing here ends by itself, and the image is there already."""


@dataclass(frozen=True, kw_only=True)
class Containers:
    """What compose.yaml has, at an engine whose settings are in a folder of its own."""

    file: Path
    engine: Path
    host: str

    def podman(self, *arguments: str, stdin: str = "", may_fail: bool = False) -> str:
        """Run podman, and return what it prints."""
        own = {
            "CONTAINERS_CONF": str(self.engine / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.engine / "storage.conf"),
        }
        command = ["podman", *arguments]
        done = subprocess.run(
            command, env=os.environ | own, input=stdin, capture_output=True, text=True, check=False
        )
        assert may_fail or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        # What a container wrote to its standard error, `podman logs` writes to its own.
        return done.stdout + (done.stderr if arguments[0] == "logs" else "")

    @property
    def document(self) -> dict[str, Any]:
        """Return compose.yaml with the one value that it asks for."""
        text = self.file.read_text().replace("${LATCHKEY_HOST:?such as link.example.com}", self.host)
        document: dict[str, Any] = yaml.safe_load(
            text.replace("${LATCHKEY_VERSION:-latest}", "latest").replace("$$", "$")
        )
        return document

    def names(self, service: str) -> list[str]:
        """Return the containers of a service."""
        replicas = self.document["services"][service].get("deploy", {}).get("replicas", 1)
        return [f"latchkey_{service}_{number + 1}" for number in range(replicas)]

    def options(self, service: str) -> list[str]:
        """Return what podman is told of a service, before its image."""
        document = self.document
        said: dict[str, Any] = document["services"][service]
        assert set() == said.keys() - FLAGS.keys() - ELSEWHERE - NOT_TRIED
        options = [flag for word, value in said.items() if word in FLAGS for flag in FLAGS[word](value)]
        options += [f"--network=latchkey_{name}" for name in said["networks"]]
        for section, folder in (("configs", "/"), ("secrets", "/run/secrets/")):
            for each in said.get(section, []):
                entry = each if isinstance(each, dict) else {"source": each, "target": each}
                target = Path(folder) / entry["target"]
                source = self.file.parent / document[section][entry["source"]]["file"]
                options.append(f"--volume={source}:{target}:ro")
        return [*options, f"--network-alias={service}"]

    def command(self, service: str, *arguments: str) -> list[str]:
        """Return the image of a service and what it is to do."""
        said = self.document["services"][service]
        return [said["image"], *(arguments or said.get("command", []))]

    def run(self, service: str, *arguments: str, stdin: str = "") -> str:
        """`docker compose run --rm SERVICE ARGUMENTS`."""
        return self.podman(
            *("run", "--rm", "--interactive", *self.options(service)),
            *self.command(service, *arguments),
            stdin=stdin,
        )

    async def up(self) -> None:
        """Start everything but what has a profile."""
        services = self.document["services"]
        started: set[str] = set()
        wanted = [name for name, said in services.items() if "profiles" not in said]
        while left := [name for name in wanted if name not in started]:
            service = next(name for name in left if set(services[name].get("depends_on", ())) <= started)
            await self._wait_for(services[service].get("depends_on", {}))
            self.start(service)
            started.add(service)

    def start(self, service: str, *options: str) -> None:
        """Start the containers of a service, with more options for podman."""
        for name in self.names(service):
            own = (f"--name={name}", *self.options(service), *options)
            self.podman("run", "--detach", *own, *self.command(service))

    async def _wait_for(self, needs: Any) -> None:
        for service, need in needs.items() if isinstance(needs, dict) else ():
            match need["condition"]:
                case "service_healthy":
                    await self.healthy(service)
                case "service_completed_successfully":
                    (name,) = self.names(service)
                    status = self.podman("wait", name).strip()
                    assert "0" == status, self.logs(service)

    async def healthy(self, service: str) -> None:
        """Wait until each container of a service says that it is well; podman's own timer for it needs systemd."""
        async with asyncio.timeout(2 * PATIENCE):
            for name in self.names(service):
                while not self.is_healthy(name):
                    assert "running" == self.state(name), self.logs(service)
                    await asyncio.sleep(0.5)

    def is_healthy(self, name: str) -> bool:
        """Do the health check of a container once."""
        self.podman("healthcheck", "run", name, may_fail=True)
        state = self.podman("inspect", "--format={{.State.Health.Status}}", name)
        return state.strip() == "healthy"

    def state(self, name: str) -> str:
        """Tell whether a container runs."""
        return self.podman("inspect", "--format={{.State.Status}}", name).strip()

    def logs(self, service: str) -> str:
        """Return what the containers of a service printed."""
        done = (self.podman("logs", name, may_fail=True) for name in self.names(service))
        return "".join(done)[-4000:]

    def down(self) -> None:
        """`docker compose down --volumes`, by the names that are ours."""
        names = [name for service in self.document["services"] for name in self.names(service)]
        self.podman("rm", "--force", "--volumes", "--ignore", *names, may_fail=True)
        for kind in ("volume", "network"):
            for name in self.document[f"{kind}s"]:
                self.podman(kind, "rm", "--force", f"latchkey_{name}", may_fail=True)


@contextmanager
def project(file: Path, engine: Path, host: str) -> Iterator[Containers]:
    """Make networks as compose.yaml has them; everything is gone in the end."""
    containers = Containers(file=file, engine=engine, host=host)
    try:
        for name, said in containers.document["networks"].items():
            internal = ["--internal"] if said.get("internal") else []
            containers.podman("network", "create", *internal, f"latchkey_{name}")
        yield containers
    finally:
        containers.down()
