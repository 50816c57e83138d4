"""Plays what kubectl makes and Helm renders by `podman kube play`, which knows a part of Kubernetes.

What a cluster does and podman 4.3 does not is done here; nothing else is changed on the way:

- a Deployment or a Job becomes its pods, as its controller makes them: podman knows no Job, and one pod alone of a Deployment;
- the volume of a Secret becomes a folder of files with the volume's mode and the pod's `fsGroup`, as the kubelet lays them out: podman
  has no such volumes before 4.4, and no modes before 4.8;
- `ports` are not played: podman opens them on every address of this machine. They name what probes and the proxy ask;
- probes and `preStop` are not played, but done by `probe` and `end`: podman asks by curl within a container, by numbers alone.
"""

import asyncio
import base64
import os
import time
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.containers.compose import Containers
from tests.play.operator import PATIENCE

Object = dict[str, Any]
KEPT = {"io.podman.annotations.init.container.type": "always"}
"""Else podman removes an init container when it has ended, and with it what it printed."""
NOT_PLAYED = ("ports", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle")


def containers_of(pod: Object) -> list[Object]:
    """Return all containers of a pod's spec, those first that run first."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def port_of(pod: Object, name: str) -> int:
    """Return the number of a port by its name."""
    (number,) = [
        port["containerPort"]
        for container in pod["containers"]
        for port in container.get("ports", [])
        if port["name"] == name
    ]
    return int(number)


@dataclass(kw_only=True)
class Cluster:
    """Objects as a cluster's API would have them, and those of their pods that run."""

    engine: Containers
    folder: Path
    objects: list[Object]
    running: dict[str, list[str]] = field(default_factory=dict)
    """Name of a workload -> its pods."""

    def get(self, kind: str, name: str) -> Object:
        """`kubectl get KIND NAME`."""
        (found,) = [each for each in self.objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
        return found

    def of_kind(self, kind: str) -> list[Object]:
        """`kubectl get KIND`."""
        return [each for each in self.objects if each["kind"] == kind]

    def replicas(self, name: str) -> int:
        """Return how many pods there are at least, by what scales a Deployment."""
        scaling = [*self.of_kind("HorizontalPodAutoscaler"), *self.of_kind("ScaledObject")]
        (said,) = [each["spec"] for each in scaling if each["spec"]["scaleTargetRef"]["name"] == name]
        least = said.get("minReplicas", said.get("minReplicaCount"))
        return int(least)

    def play(self, workload: Object, *networks: str, count: int = 1) -> list[str]:
        """Make the pods of a Deployment or Job, and return their names."""
        name = workload["metadata"]["name"]
        names = [f"{name}-{number}" for number in range(count)]
        pods = [self._pod(workload["spec"]["template"], pod) for pod in names]
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all([*self.of_kind("ConfigMap"), *pods]))
        self.running[name] = names
        self.engine.podman("kube", "play", *(f"--network={each}" for each in networks), str(file))
        return names

    def _pod(self, template: Object, name: str) -> Object:
        spec = deepcopy(template["spec"])
        for container in containers_of(spec):
            for word in NOT_PLAYED:
                container.pop(word, None)
        for volume in spec["volumes"]:
            if secret := volume.pop("secret", None):
                folder = self.folder / "kubelet" / name / volume["name"]
                self._lay_out(secret, folder, group=spec["securityContext"]["fsGroup"])
                volume["hostPath"] = {"path": str(folder), "type": "Directory"}
        metadata = {"name": name, "labels": template["metadata"]["labels"], "annotations": KEPT}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def _lay_out(self, volume: Object, folder: Path, *, group: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in self.get("Secret", volume["secretName"])["data"].items():
            file = folder / name
            file.write_bytes(base64.b64decode(value))
            file.chmod(volume["defaultMode"])
            os.chown(file, 0, group)

    def run(self, job: Object, *networks: str) -> None:
        """Run a Job to its end, which has to be a good one."""
        try:
            (pod,) = self.play(job, *networks)
        except AssertionError as error:
            raise AssertionError(f"{error}{self.logs(job)}") from None
        (last,) = job["spec"]["template"]["spec"]["containers"]
        status = self.engine.podman("wait", f"{pod}-{last['name']}").strip()
        assert "0" == status, self.logs(job)
        self.down(job["metadata"]["name"])

    def names(self, deployment: Object) -> list[str]:
        """Return the containers of a Deployment."""
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return [f"{pod}-{container['name']}" for pod in self.running[deployment["metadata"]["name"]]]

    def addresses(self, deployment: Object) -> list[str]:
        """Return where its pods are, as an EndpointSlice has it."""
        look = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        pods = self.running[deployment["metadata"]["name"]]
        infra = [self.engine.podman("pod", "inspect", "--format={{.InfraContainerID}}", pod) for pod in pods]
        return [self.engine.podman("inspect", f"--format={look}", each.strip()).split()[0] for each in infra]

    async def probe(self, deployment: Object, kind: str) -> list[int]:
        """Ask as the kubelet does, and return each pod's answer."""
        pod = deployment["spec"]["template"]["spec"]
        (asked,) = [container[kind]["httpGet"] for container in pod["containers"]]
        port = port_of(pod, asked["port"])
        statuses = []
        async with aiohttp.ClientSession() as http:
            for address in self.addresses(deployment):
                try:
                    async with http.get(f"http://{address}:{port}{asked['path']}") as response:
                        statuses.append(response.status)
                except aiohttp.ClientConnectionError:
                    statuses.append(0)
        return statuses

    async def ready(self, deployment: Object) -> None:
        """Wait until every pod has started and is ready."""
        try:
            async with asyncio.timeout(2 * PATIENCE):
                for kind in ("startupProbe", "readinessProbe"):
                    while {200} != set(await self.probe(deployment, kind)):
                        await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(self.logs(deployment)) from None

    def exec(self, deployment: Object, *command: str, stdin: str = "", may_fail: bool = False) -> str:
        """`kubectl exec --stdin deploy/NAME -- COMMAND`."""
        name = self.names(deployment)[0]
        return self.engine.podman("exec", "--interactive", name, *command, stdin=stdin, may_fail=may_fail)

    def end(self, deployment: Object) -> list[str]:
        """End its pods as the kubelet does, and return their statuses: 137 is one that outlived its time of grace."""
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        statuses = []
        for name in self.names(deployment):
            began = time.monotonic()
            if hook:
                self.engine.podman("exec", name, *hook)
            # podman 4.3 gives ten seconds to all, whatever the pod says.
            left = pod["terminationGracePeriodSeconds"] - round(time.monotonic() - began)
            self.engine.podman("stop", f"--time={left}", name)
            statuses.append(self.engine.podman("inspect", "--format={{.State.ExitCode}}", name).strip())
        self.down(deployment["metadata"]["name"])
        return statuses

    def down(self, name: str) -> None:
        """`podman kube down`."""
        self.engine.podman("kube", "down", str(self.folder / f"{name}.yaml"), may_fail=True)
        self.running.pop(name, None)

    def logs(self, workload: Object) -> str:
        """Return what its pods printed."""
        spec = workload["spec"]["template"]["spec"]
        return "".join(
            self.engine.podman("logs", f"{pod}-{container['name']}", may_fail=True)[-4000:]
            for pod in self.running[workload["metadata"]["name"]]
            for container in containers_of(spec)
        )
