"""What docs/kubernetes.md has people type, typed; and what comes of it, played: a household linked through pods, which then end well.

There is no cluster: kubectl makes Secrets without one, Helm's library renders, and podman plays (`tests.containers.kube` says what it leaves
out). Network policies, autoscaling and rollouts are not tried.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.containers.compose import project
from tests.containers.door import HOST, authority, life
from tests.containers.kube import Cluster, containers_of, port_of
from tests.documents import ROOT, scripts
from tests.play.person import NAME, PASSWORD

pytestmark = pytest.mark.containers
ENGINE = Path(os.environ.get("LATCHKEY_TEST_CACHE", "/var/cache/latchkey-tests")) / "containers"
ROLES = {"gateway": "gateway", "auth-worker": "auth_worker", "token-worker": "token_worker"}
COMMANDS = {
    "kubectl": '{kubectl} "$@" --dry-run=client --output=yaml >>{manifests} && echo --- >>{manifests}',
    "helm": '{python} -m tests.containers.helm "$@" >>{manifests}',
}
"""What stands in for a cluster, so that commands tell it nothing."""


def typed(folder: Path) -> list[dict[str, Any]]:
    """Type all that the page has in blocks, and return the objects that a cluster would have been sent."""
    manifests = folder / "manifests.yaml"
    places = {"kubectl": shutil.which("kubectl"), "python": sys.executable, "manifests": manifests}
    commands = folder / "bin"
    commands.mkdir()
    for name, text in COMMANDS.items():
        (commands / name).write_text(f"#!/bin/sh\n{text.format(**places)}\n")
        (commands / name).chmod(0o755)
    path = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    text = "\n".join(scripts("docs/kubernetes.md")).replace("link.example.com", HOST)
    subprocess.run(
        ["bash", "-euc", text],
        cwd=folder,
        env={"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        check=True,
    )
    return [each for each in yaml.safe_load_all(manifests.read_text()) if each]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Everything the chart has that podman can play, up and ready, with a proxy where an ingress controller would be."""
    if not (ENGINE.is_dir() and shutil.which("kubectl")):
        pytest.skip("needs images and kubectl: `make containers` makes them")
    folder = tmp_path_factory.mktemp("chart")
    deploy = folder / "deploy"
    shutil.copytree(ROOT / "deploy", deploy, ignore=shutil.ignore_patterns("secrets", "__pycache__"))
    (deploy / "secrets").symlink_to("../secrets")
    objects = typed(folder)
    with project(deploy / "compose.yaml", ENGINE, HOST) as engine:
        cluster = Cluster(engine=engine, folder=folder, objects=objects)
        try:
            asyncio.run(_bring_up(cluster))
            yield cluster
        finally:
            for name in list(cluster.running):
                cluster.down(name)
            # As podman plays ConfigMaps; it keeps these.
            for each in cluster.of_kind("ConfigMap"):
                engine.podman("volume", "rm", each["metadata"]["name"], may_fail=True)


async def _bring_up(cluster: Cluster) -> None:
    for service in ("postgres", "rabbitmq"):
        cluster.engine.start(service)
    for service in ("postgres", "rabbitmq"):
        await cluster.engine.healthy(service)
    (image,) = {
        container["image"]
        for each in cluster.of_kind("Deployment")
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    cluster.engine.podman("tag", "latchkey", image)
    # Helm waits for its hooks before it goes on.
    for job in cluster.of_kind("Job"):
        cluster.run(job, "latchkey_inside")
    for each in cluster.of_kind("Deployment"):
        play(cluster, each)
    for each in cluster.of_kind("Deployment"):
        await cluster.ready(each)
    (service,) = cluster.of_kind("Service")
    gateway = cluster.get("Deployment", service["metadata"]["name"])
    (port,) = service["spec"]["ports"]
    number = port_of(gateway["spec"]["template"]["spec"], port["targetPort"])
    endpoints = " ".join(f"{address}:{number}" for address in cluster.addresses(gateway))
    cluster.engine.start("proxy", f"--env=LATCHKEY_ADDRESS={endpoints}")
    auth_worker = cluster.get("Deployment", "latchkey-auth-worker")
    cluster.exec(auth_worker, "latchkey", "accounts", "add", NAME, "--password-stdin", stdin=f"{PASSWORD}\n")


def play(cluster: Cluster, deployment: dict[str, Any]) -> None:
    """Make as many of its pods as are wanted at least."""
    name = deployment["metadata"]["name"]
    cluster.play(deployment, "latchkey_inside", "latchkey_edge", count=cluster.replicas(name))


@pytest.fixture(scope="module")
def trust(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """The proxy's own authority."""
    return authority(cluster.engine, tmp_path_factory.mktemp("trust"))


async def test_household_links_refreshes_and_is_revoked(cluster: Cluster, trust: ssl.SSLContext) -> None:
    """Through the proxy and the gateway's pods; revoked by the command in one of them."""
    gateway = cluster.get("Deployment", "latchkey-gateway")
    told = partial(cluster.exec, gateway, "latchkey", "grants", "revoke", "--household")

    assert [None, None, "Client.AuthTokenExpired"] == await life(trust, told)


@pytest.mark.parametrize("role", ROLES)
def test_containers_can_change_nothing(cluster: Cluster, role: str) -> None:
    """Asked from within: nobody's number, no capability, system calls filtered, no place to write to; and memory is limited."""
    look = """import os, pathlib
status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/1/status").read_text().splitlines())
print(os.getuid(), int(status["CapEff"], 16), int(status["CapBnd"], 16), status["NoNewPrivs"], status["Seccomp"])
for place in ("/", "/tmp", "/var/tmp", "/run", "/opt/latchkey", "/etc/latchkey", "/run/secrets/latchkey"):
    try: (pathlib.Path(place) / "mark").write_text("")
    except OSError: continue
    print("wrote to", place)
"""
    deployment = cluster.get("Deployment", f"latchkey-{role}")
    said = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    limits = [
        cluster.engine.podman("inspect", "--format={{.HostConfig.Memory}}", name).strip()
        for name in cluster.names(deployment)
    ]

    assert "10001 0 0 1 2" == cluster.exec(deployment, "python", "-c", look).strip()
    assert {str(int(said.removesuffix("Mi")) << 20)} == set(limits)


@pytest.mark.parametrize("role", ROLES)
def test_secrets_are_files_for_one_role(cluster: Cluster, role: str) -> None:
    """Root's, readable for the process's group alone, none of another role, and none in the environment."""
    look = """import json, os, pathlib
files = sorted(pathlib.Path("/run/secrets/latchkey").iterdir())
stats = {file.name: [oct(file.stat().st_mode & 0o777), file.stat().st_uid, file.stat().st_gid] for file in files}
print(json.dumps([stats, [text for file in files for text in [file.read_text().strip()] if text in os.environ.values()]]))
"""
    names = ("broker_url", "database_url", f"{ROLES[role]}.json", "public.json")

    stats, told = json.loads(
        cluster.exec(cluster.get("Deployment", f"latchkey-{role}"), "python", "-c", look)
    )

    assert {name: ["0o440", 0, 10001] for name in names} == stats
    assert [] == told


@pytest.mark.parametrize("kind", ["startupProbe", "readinessProbe", "livenessProbe"])
@pytest.mark.parametrize("role", ROLES)
async def test_probes_are_answered(cluster: Cluster, role: str, kind: str) -> None:
    """By each pod, on the port and path that the chart names."""
    deployment = cluster.get("Deployment", f"latchkey-{role}")

    assert [200, 200] == await cluster.probe(deployment, kind)


def test_keda_is_told_of_every_queue(cluster: Cluster) -> None:
    """With the Secret that the page makes, what KEDA's scaler asks for by HTTP: how many messages a queue has."""
    (authentication,) = cluster.of_kind("TriggerAuthentication")
    (reference,) = authentication["spec"]["secretTargetRef"]
    secret = cluster.get("Secret", reference["name"])
    queues = [
        trigger["metadata"]["queueName"]
        for each in cluster.of_kind("ScaledObject")
        for trigger in each["spec"]["triggers"]
    ]
    ask = """import base64, json, sys, urllib.parse, urllib.request
host, queues = json.load(sys.stdin)
url = urllib.parse.urlsplit(base64.b64decode(host).decode())
proof = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
for queue in queues:
    asked = f"http://{url.hostname}:{url.port}/api/queues{url.path}/{queue}"
    request = urllib.request.Request(asked, headers={"Authorization": f"Basic {proof}"})
    print(type(json.load(urllib.request.urlopen(request))["messages"]).__name__)
"""
    gateway = cluster.get("Deployment", "latchkey-gateway")

    answers = cluster.exec(
        gateway, "python", "-c", ask, stdin=json.dumps([secret["data"][reference["key"]], queues])
    )

    assert ["int"] * len(queues) == answers.split()


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("auth-worker", "accounts list"),
        ("auth-worker", "webhook list"),
        ("gateway", "grants list --all"),
        ("token-worker", "audit verify"),
    ],
)
def test_commands_run_in_pods(cluster: Cluster, role: str, command: str) -> None:
    """`kubectl exec`, as the page says, with the rights that the role has."""
    cluster.exec(cluster.get("Deployment", f"latchkey-{role}"), "latchkey", *command.split())


@pytest.mark.parametrize("command", ["dead list", f"accounts export {NAME}"])
def test_commands_have_a_pod_of_their_own(cluster: Cluster, command: str) -> None:
    """For what no service has the rights to."""
    pod = yaml.safe_load((ROOT / "deploy/examples/command-pod.yaml").read_text())
    workload = {"metadata": pod["metadata"], "spec": {"template": pod}}
    if pod["metadata"]["name"] not in cluster.running:
        cluster.play(workload, "latchkey_inside")

    cluster.exec(workload, "latchkey", *command.split())


@pytest.mark.parametrize("role", ROLES)
def test_doctor_finds_one_thing_in_pods(cluster: Cluster, role: str) -> None:
    """The public address, for which these pods have no way out; in a cluster, policies leave it to auth_worker."""
    deployment = cluster.get("Deployment", f"latchkey-{role}")
    report = cluster.exec(deployment, "latchkey", "doctor", may_fail=True)
    findings = re.findall(r"^(?:wrong|warn) .*$", report, re.MULTILINE)

    assert ["wrong public.reachable"] == findings, report


def migration(cluster: Cluster, *more: str) -> dict[str, Any]:
    """Return the Job that Helm makes of what the page has people type, and of more."""
    (line,) = [line for line in "\n".join(scripts("docs/kubernetes.md")).splitlines() if line[:5] == "helm "]
    command = [sys.executable, "-m", "tests.containers.helm", *shlex.split(line)[1:], *more]
    done = subprocess.run(
        command, cwd=cluster.folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    (job,) = [each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "Job"]
    return dict(job)


@pytest.mark.parametrize("more", [(), ("--set", "migration.roles.enabled=false")])
async def test_upgrade_runs_the_migration_again(cluster: Cluster, more: tuple[str, ...]) -> None:
    """With a superuser or without, beside services that run, which go on."""
    job = migration(cluster, *more)
    containers = containers_of(job["spec"]["template"]["spec"])

    cluster.run(job, "latchkey_inside")

    assert (["migrate"] if more else ["roles", "migrate", "rights"]) == [each["name"] for each in containers]
    for each in cluster.of_kind("Deployment"):
        assert [200, 200] == await cluster.probe(each, "readinessProbe")


@pytest.mark.parametrize("role", ROLES)
async def test_pods_end_well_and_come_again(cluster: Cluster, role: str) -> None:
    """On the signal that the kubelet sends, after `preStop`, with status 0, before their time of grace is over."""
    deployment = cluster.get("Deployment", f"latchkey-{role}")

    statuses = cluster.end(deployment)
    play(cluster, deployment)
    await cluster.ready(deployment)

    assert ["0", "0"] == statuses
