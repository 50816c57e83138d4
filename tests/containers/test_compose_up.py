"""What docs/deployment.md says about containers on one machine, done: everything up, a household linked through the proxy, stopped again."""

import asyncio
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.compose import Containers, project
from tests.containers.door import HOST, authority, life
from tests.documents import ROOT
from tests.play.person import NAME, PASSWORD

pytestmark = pytest.mark.containers
ENGINE = Path(os.environ.get("LATCHKEY_TEST_CACHE", "/var/cache/latchkey-tests")) / "containers"
SERVICES = ("gateway", "auth_worker", "token_worker")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Everything in compose.yaml, up and healthy, with the secrets that our image makes."""
    if not ENGINE.is_dir():
        pytest.skip("needs images: `make containers` makes them")
    deploy = tmp_path_factory.mktemp("compose") / "deploy"
    shutil.copytree(ROOT / "deploy", deploy, ignore=shutil.ignore_patterns("secrets", "__pycache__"))
    with project(deploy / "compose.yaml", ENGINE, HOST) as containers:
        folder = deploy.parent
        own = {
            "CONTAINERS_CONF": ENGINE / "containers.conf",
            "CONTAINERS_STORAGE_CONF": ENGINE / "storage.conf",
        }
        latchkey = f"podman run --rm --user {os.getuid()} -v {folder}:{folder} -w {folder} latchkey"
        environment = {"PATH": os.environ["PATH"], "LATCHKEY": latchkey} | {k: str(v) for k, v in own.items()}
        subprocess.run([deploy / "secrets.sh", "deploy/secrets"], cwd=folder, env=environment, check=True)
        asyncio.run(containers.up())
        for service in SERVICES:
            asyncio.run(containers.healthy(service))
        containers.run("command", "accounts", "add", NAME, "--password-stdin", stdin=f"{PASSWORD}\n")
        yield containers


@pytest.fixture(scope="module")
def trust(up: Containers, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """The proxy's own authority."""
    return authority(up, tmp_path_factory.mktemp("trust"))


async def test_household_links_refreshes_and_is_revoked(up: Containers, trust: ssl.SSLContext) -> None:
    """Through the proxy, with the container for commands."""
    listed = ""

    def revoke(household: str) -> None:
        nonlocal listed
        listed = up.run("command", "grants", "list", "--all")
        up.run("command", "grants", "revoke", "--household", household)

    assert [None, None, "Client.AuthTokenExpired"] == await life(trust, revoke)
    assert "Sonos_" in listed


@pytest.mark.parametrize("service", SERVICES)
def test_our_containers_can_change_nothing(up: Containers, service: str) -> None:
    """Asked from within: nobody's number, no capability, and no place to write to."""
    look = """import os, pathlib
status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/1/status").read_text().splitlines())
print(os.getuid(), int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"])
for place in ("/", "/tmp", "/var/tmp", "/run", "/opt/latchkey", "/run/secrets"):
    try: (pathlib.Path(place) / "mark").write_text("")
    except OSError: continue
    print("wrote to", place)
"""
    for name in up.names(service):
        assert "10001 0 0 1" == up.podman("exec", name, "python", "-c", look).strip()


@pytest.mark.parametrize(
    ("service", "is_open"), [("gateway", False), ("token_worker", False), ("auth_worker", True)]
)
def test_only_auth_worker_has_a_way_out(up: Containers, service: str, is_open: bool) -> None:
    """A default route is a way out; internal networks have none."""
    routes = up.podman("exec", up.names(service)[0], "cat", "/proc/net/route")

    assert is_open == any(line.split()[1:2] == ["00000000"] for line in routes.splitlines())


@pytest.mark.parametrize("service", SERVICES)
async def test_services_end_well_and_come_again(up: Containers, service: str) -> None:
    """On the signal that engines send, within the time they are given, with status 0."""
    name = up.names(service)[0]
    began = time.monotonic()
    up.podman("stop", name)
    took = time.monotonic() - began
    status = up.podman("inspect", "--format={{.State.ExitCode}}", name).strip()
    up.podman("start", name)
    await up.healthy(service)

    assert ("0", True) == (status, took < 45), up.logs(service)
