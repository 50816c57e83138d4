"""The Helm chart, rendered by Helm itself (its SDK): every object is valid, and none has more than it needs."""

import re
from typing import Any

import helm_python as helm
import jsonschema
import kubernetes_validate
import pytest
import yaml

from shared import keys
from shared.messages import WORK
from shared.settings import load
from tests.documents import ROOT

CHART = ROOT / "deploy/helm/latchkey"
COMMAND_POD: dict[str, Any] = yaml.safe_load((ROOT / "deploy/examples/command-pod.yaml").read_text())
VERSIONS = ("1.27", "1.31", "1.37")
URL = {"publicUrl": "https://link.example.com"}
PEER = [{"podSelector": {"matchLabels": {"app": "catalogue"}}}]
EVERYTHING = {
    **URL,
    "image": {"tag": "1.2.3", "pullSecrets": [{"name": "registry"}]},
    "settings": {"LATCHKEY_DATABASE_POOL": "10"},
    "config": '[services.default]\ntitle = "A \\"quoted\\" title"\n',
    "migration": {"roles": {"enabled": True}},
    "ingress": {"enabled": True, "className": "nginx", "annotations": {"a/b": "c"}},
    "network": {"content": {"to": PEER}},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
}
FORMS: dict[str, dict[str, Any]] = {
    "least": URL,
    "everything": EVERYTHING,
    "by itself": {**URL, "keda": {"enabled": False}, "network": {"enabled": False}},
}
ROLES = {"gateway": "gateway", "auth-worker": "auth_worker", "token-worker": "token_worker"}

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
KEDA: dict[str, dict[str, Any]] = {
    "ScaledObject": {
        "type": "object",
        "required": ["scaleTargetRef", "triggers"],
        "additionalProperties": False,
        "properties": {
            "scaleTargetRef": _NAMED,
            "pollingInterval": {"type": "integer"},
            "minReplicaCount": {"type": "integer"},
            "maxReplicaCount": {"type": "integer"},
            "fallback": {
                "type": "object",
                "required": ["failureThreshold", "replicas"],
                "additionalProperties": {"type": "integer"},
            },
            "advanced": {"type": "object"},
            "triggers": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type", "metadata"],
                    "additionalProperties": False,
                    "properties": {
                        "type": {"const": "rabbitmq"},
                        "metadata": _TEXTS,
                        "authenticationRef": _NAMED,
                    },
                },
            },
        },
    },
    "TriggerAuthentication": {
        "type": "object",
        "required": ["secretTargetRef"],
        "additionalProperties": False,
        "properties": {
            "secretTargetRef": {
                "type": "array",
                "items": {**_TEXTS, "required": ["parameter", "name", "key"]},
            }
        },
    },
}
"""The part of KEDA's two kinds that the chart uses, by KEDA's documentation: Kubernetes' own schemas have none for them."""


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values, name="demo", namespace="music")
    texts = [text for name, text in files.items() if not name.endswith("NOTES.txt")]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"].removeprefix("demo-"): each for each in objects if each["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in objects if each["kind"] in {"Deployment", "Job"}]


@pytest.fixture(scope="module", params=FORMS)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return rendered(FORMS[request.param])


@pytest.fixture(scope="module")
def full() -> list[dict[str, Any]]:
    return rendered(EVERYTHING)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(objects: list[dict[str, Any]], version: str) -> None:
    """By the schemas of Kubernetes, where unknown fields are errors."""
    for each in objects:
        if each["apiVersion"].startswith("keda.sh/"):
            jsonschema.validate(each["spec"], KEDA[each["kind"]])
        else:
            kubernetes_validate.validate(each, version, strict=True)


def test_nothing_is_named_twice(objects: list[dict[str, Any]]) -> None:
    """Each object has its name, and refers to what there is."""
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]

    assert len(names) == len(set(names))
    for kind in ("ScaledObject", "HorizontalPodAutoscaler"):
        targets = {each["spec"]["scaleTargetRef"]["name"] for each in of_kind(objects, kind).values()}
        assert targets <= {name for what, name in names if what == "Deployment"}


def test_helm_finds_no_fault() -> None:
    """`helm lint`, with values as a person would give them."""
    findings = helm.lint(str(CHART), values=EVERYTHING)

    assert [] == findings["errors"]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"publicUrl": "http://link.example.com"},
        {**URL, "authWorker": {"replicas": {"min": 0}}},
        {**URL, "settings": {"DATABASE_POOL": "10"}},
        {**URL, "gatway": {}},
    ],
)
def test_values_that_cannot_be_meant(values: dict[str, Any]) -> None:
    """No address, no worker, a name that is none."""
    with pytest.raises(helm.HelmError):
        rendered(values)


@pytest.mark.parametrize("name", ROLES)
def test_service_starts_with_what_it_is_given(
    full: list[dict[str, Any]], name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings are settings, and it reads the Secret of its own role alone."""
    pod = of_kind(full, "Deployment")[name]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (tmp_path / "latchkey.toml").write_text(of_kind(full, "ConfigMap")["config"]["data"]["latchkey.toml"])
    for secret, value in {"database_url": "postgresql+asyncpg://db/x", "broker_url": "amqp://b"}.items():
        (tmp_path / secret).write_text(value)
    for variable in container["env"]:
        value = variable["value"].replace("/run/secrets/latchkey", str(tmp_path))
        monkeypatch.setenv(variable["name"], value.replace("/etc/latchkey", str(tmp_path)))
    settings = load()
    secrets = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]

    assert 'A "quoted" title' == settings.services["default"].title
    assert (10, False) == (settings.database_pool, settings.broker_declare)
    assert ([f"latchkey-{name}"], [name]) == (secrets, container["args"])
    assert ROLES[name] in keys.FILES


def test_pods_can_change_nothing(objects: list[dict[str, Any]]) -> None:
    """Nobody special, a read-only root, no capability, no token of the cluster: the profile "restricted", and more."""
    for pod in [*pods(objects), COMMAND_POD["spec"]]:
        assert (False, True, "RuntimeDefault") == (
            pod["automountServiceAccountToken"],
            pod["securityContext"]["runAsNonRoot"],
            pod["securityContext"]["seccompProfile"]["type"],
        )
        assert {"secret", "configMap"} >= {
            kind for volume in pod["volumes"] for kind in volume.keys() - {"name"}
        }
        assert not [word for word in pod if word.startswith("host")]
        for container in pod["containers"] + pod.get("initContainers", []):
            assert {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            } == container["securityContext"]


@pytest.mark.parametrize("version", VERSIONS)
def test_pod_for_commands_goes_with_the_chart(full: list[dict[str, Any]], version: str) -> None:
    """It is valid, of this version, and network policies take it for one of the release."""
    kubernetes_validate.validate(COMMAND_POD, version, strict=True)
    (container,) = COMMAND_POD["spec"]["containers"]
    selector = of_kind(full, "NetworkPolicy")["demo"]["spec"]["podSelector"]["matchLabels"]
    labels = COMMAND_POD["metadata"]["labels"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert container["image"].endswith(f":{chart['version']}")
    assert (selector | {"app.kubernetes.io/instance": "latchkey"}).items() <= labels.items()


def test_nothing_secret_is_in_the_chart(objects: list[dict[str, Any]]) -> None:
    """It makes no Secret, and puts none into an environment."""
    environments = [
        variable
        for pod in pods(objects)
        for container in pod["containers"] + pod.get("initContainers", [])
        for variable in container["env"]
    ]

    assert {} == of_kind(objects, "Secret")
    assert [] == [each for each in environments if "valueFrom" in each]


def test_every_queue_scales_its_worker(full: list[dict[str, Any]]) -> None:
    """By messages that wait or are in hand, and never to none."""
    scaled = of_kind(full, "ScaledObject")
    queues = {
        name: [trigger["metadata"]["queueName"] for trigger in each["spec"]["triggers"]]
        for name, each in scaled.items()
    }
    modes = {
        (trigger["metadata"]["protocol"], trigger["metadata"]["mode"])
        for each in scaled.values()
        for trigger in each["spec"]["triggers"]
    }

    assert {
        "auth-worker": [queue for queue in WORK if queue.startswith("auth.")],
        "token-worker": [queue for queue in WORK if queue.startswith("token.")],
    } == queues
    assert {("http", "QueueLength")} == modes
    assert all(each["spec"]["minReplicaCount"] >= 1 for each in scaled.values())


def test_only_the_gateway_is_reached_and_only_auth_worker_leaves(full: list[dict[str, Any]]) -> None:
    """The policy of all has names, database and broker, and the port of metrics; two add to it."""
    policies = {name: each["spec"] for name, each in of_kind(full, "NetworkPolicy").items()}
    reached = {
        name: [port["port"] for rule in spec.get("ingress", []) for port in rule["ports"]]
        for name, spec in policies.items()
    }
    leaving = [name for name, spec in policies.items() if "ipBlock" in str(spec.get("egress"))]
    everybody = policies["demo"]

    assert {"demo": ["admin"], "gateway": ["http"], "auth-worker": []} == reached
    assert ["auth-worker"] == leaving
    assert ["Ingress", "Egress"] == everybody["policyTypes"]
    assert [53, 53, 5432, 5672] == [port["port"] for rule in everybody["egress"] for port in rule["ports"]]
    for deployment in of_kind(full, "Deployment").values():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert everybody["podSelector"]["matchLabels"].items() <= labels.items()


def test_tables_come_between_roles_and_rights(full: list[dict[str, Any]]) -> None:
    """Before anything else of the release, in one job, one after the other."""
    job = of_kind(full, "Job")["migrate"]
    pod = job["spec"]["template"]["spec"]
    order = [container["name"] for container in pod["initContainers"] + pod["containers"]]

    assert "pre-install,pre-upgrade" == job["metadata"]["annotations"]["helm.sh/hook"]
    assert ["roles", "migrate", "rights"] == order
    assert (ROOT / "deploy/postgres/roles.sql").read_text() == of_kind(full, "ConfigMap")["roles"]["data"][
        "roles.sql"
    ]


def selected(objects: list[dict[str, Any]], labels: dict[str, str]) -> list[str]:
    """Return the workloads whose pods have these labels."""
    return [
        each["metadata"]["name"].removeprefix("demo-")
        for each in objects
        if each["kind"] in {"Deployment", "Job"}
        and labels.items() <= each["spec"]["template"]["metadata"]["labels"].items()
    ]


def port_names(pod: dict[str, Any]) -> set[str]:
    return {port["name"] for container in pod["containers"] for port in container.get("ports", [])}


def test_selectors_find_the_pods_they_mean(objects: list[dict[str, Any]]) -> None:
    """A Deployment its own, by what never changes; the same what has its name; a policy of the release all of them, the migration too."""
    own = {
        name: each["spec"]["selector"]["matchLabels"] for name, each in of_kind(objects, "Deployment").items()
    }
    for name, labels in own.items():
        assert {"name", "instance", "component"} == {
            label.removeprefix("app.kubernetes.io/") for label in labels
        }
        assert [name] == selected(objects, labels)
    for kind in ("Service", "PodDisruptionBudget"):
        for name, each in of_kind(objects, kind).items():
            selector = each["spec"]["selector"]
            assert own[name] == selector.get("matchLabels", selector)
    for deployment in of_kind(objects, "Deployment").values():
        for spread in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert deployment["spec"]["selector"] == spread["labelSelector"]
    for name, each in of_kind(objects, "NetworkPolicy").items():
        meant = [*ROLES, "migrate"] if name == "demo" else [name]
        assert sorted(meant) == sorted(selected(objects, each["spec"]["podSelector"]["matchLabels"]))


def test_named_ports_are_there(objects: list[dict[str, Any]]) -> None:
    """Those of probes, of the Service and the Ingress, and of what network policies let in to services."""
    deployments = of_kind(objects, "Deployment")
    named = {name: port_names(each["spec"]["template"]["spec"]) for name, each in deployments.items()}
    for name, each in deployments.items():
        (container,) = each["spec"]["template"]["spec"]["containers"]
        probes = [
            container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")
        ]
        assert set(probes) <= named[name]
    for each in of_kind(objects, "NetworkPolicy").values():
        for name in selected(objects, each["spec"]["podSelector"]["matchLabels"]):
            ports = {port["port"] for rule in each["spec"].get("ingress", []) for port in rule["ports"]}
            # The migration listens to nothing.
            assert ports <= named.get(name, ports)
    services = of_kind(objects, "Service")
    for name, each in services.items():
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= named[name]
    for ingress in of_kind(objects, "Ingress").values():
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                ports = services[backend["name"].removeprefix("demo-")]["spec"]["ports"]
                assert backend["port"]["name"] in {port["name"] for port in ports}


def test_what_is_scaled_and_mounted_is_there(objects: list[dict[str, Any]]) -> None:
    """One thing scales each Deployment; volumes are mounted, and from what is made before; Secrets are those of the page."""
    page = (ROOT / "docs/kubernetes.md").read_text()
    scaled = [
        each["spec"]["scaleTargetRef"]["name"].removeprefix("demo-")
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for each in of_kind(objects, kind).values()
    ]
    fixed = [name for name, each in of_kind(objects, "Deployment").items() if "replicas" in each["spec"]]
    authentications = of_kind(objects, "TriggerAuthentication")
    for each in of_kind(objects, "ScaledObject").values():
        for trigger in each["spec"]["triggers"]:
            assert trigger["authenticationRef"]["name"].removeprefix("demo-") in authentications
    for workload in [*of_kind(objects, "Deployment").values(), *of_kind(objects, "Job").values()]:
        pod = workload["spec"]["template"]["spec"]
        mounted = {
            mount["name"]
            for container in pod["containers"] + pod.get("initContainers", [])
            for mount in container["volumeMounts"]
        }
        assert {volume["name"] for volume in pod["volumes"]} == mounted
        for volume in pod["volumes"]:
            if "configMap" in volume:
                config = of_kind(objects, "ConfigMap")[volume["configMap"]["name"].removeprefix("demo-")]
                assert weight(config) < weight(workload)
            else:
                role = volume["secret"]["secretName"].removeprefix("latchkey-")
                assert role in ROLES or f"generic latchkey-{role} " in page

    assert sorted(ROLES) == sorted(scaled + fixed)


def weight(manifest: dict[str, Any]) -> float:
    """Return when Helm makes it: hooks by their weight, then the release, ConfigMaps before Deployments."""
    annotations = manifest["metadata"].get("annotations", {})
    if "helm.sh/hook" in annotations:
        return float(annotations["helm.sh/hook-weight"])
    return {"ConfigMap": 1000.0, "Deployment": 1001.0}[manifest["kind"]]


def test_files_that_settings_and_commands_name_are_mounted(full: list[dict[str, Any]]) -> None:
    """Each path in an environment or a command is below a volume, and in it where the chart makes it."""
    configs = of_kind(full, "ConfigMap")
    for workload in [*of_kind(full, "Deployment").values(), *of_kind(full, "Job").values()]:
        pod = workload["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in pod["containers"] + pod.get("initContainers", []):
            mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
            words = [each["value"] for each in container["env"]] + container.get("command", [])
            for word in re.findall(r"(?:^|[ =])(/[\w./-]+)", "\n".join(words), re.MULTILINE):
                place = next(place for place in mounts if f"{word}/".startswith(f"{place}/"))
                if "configMap" in mounts[place] and word != place:
                    config = configs[mounts[place]["configMap"]["name"].removeprefix("demo-")]
                    assert word.removeprefix(f"{place}/") in config["data"]


def test_chart_is_of_this_version() -> None:
    """So that its default image is."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    (version,) = [
        line.split('"')[1]
        for line in (ROOT / "pyproject.toml").read_text().splitlines()
        if line.startswith("version = ")
    ]

    assert version == chart["appVersion"] == chart["version"]
