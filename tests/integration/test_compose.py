"""deploy/compose.yaml and the image, as far as they can be tried without an engine: by their schemas, and by what they would start.

`make containers` runs them.
"""

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.definitions import USERS
from shared import keys
from shared.settings import load
from tests.documents import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {"gateway", "auth_worker", "token_worker", "tables", "command"}
DATABASE_ROLES = {"tables": "owner", "command": "owner"}
"""Container -> the role that it signs in with, where it is not its own name."""
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/secrets.sh makes."""
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    subprocess.run([DEPLOY / "secrets.sh", str(folder)], env=environment, check=True, cwd=ROOT)
    return folder


def test_compose_file_follows_the_specification() -> None:
    """The schema of the Compose specification, as check-jsonschema ships it."""
    schema = files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"

    jsonschema.validate(COMPOSE, json.loads(schema.read_text()))


def test_only_the_proxy_is_reached_and_only_auth_worker_goes_out() -> None:
    """Every network but one ends inside."""
    open_networks = {name for name, network in COMPOSE["networks"].items() if not network.get("internal")}
    outward = {name for name, each in COMPOSE["services"].items() if open_networks & set(each["networks"])}

    assert {"outside"} == open_networks
    assert {"proxy", "auth_worker"} == outward
    assert ["proxy"] == [name for name, each in COMPOSE["services"].items() if "ports" in each]


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_can_change_nothing(name: str) -> None:
    """A read-only root, no capability, no way to gain one."""
    service = COMPOSE["services"][name]

    assert (True, ["ALL"], ["no-new-privileges:true"]) == (
        service["read_only"],
        service["cap_drop"],
        service["security_opt"],
    )


def test_proxy_reads_our_file() -> None:
    """It is where the official image has Caddy look; anywhere else, a page of welcome would be served in its place."""
    (config,) = COMPOSE["services"]["proxy"]["configs"]

    assert {"source": "Caddyfile", "target": "/etc/caddy/Caddyfile"} == config
    assert "command" not in COMPOSE["services"]["proxy"]


def test_every_file_is_there(secrets: Path) -> None:
    """Configurations in the tree, secrets in the folder that the script makes; nothing is made that nobody mounts."""
    wanted = {each["file"] for section in ("configs", "secrets") for each in COMPOSE[section].values()}
    made = {f"secrets/{path.relative_to(secrets)}" for path in secrets.rglob("*") if path.is_file()}
    by_hand = {"secrets/monitor/broker_url", "secrets/broker_passwords"}

    assert set() == {name for name in wanted - made if not (DEPLOY / name).is_file()}
    assert by_hand == made - wanted


@pytest.mark.parametrize("name", sorted(OURS))
def test_services_take_their_settings_and_keys(
    name: str, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the environment and the files of its container, each starts with the role that it should have."""
    service = COMPOSE["services"][name]
    for secret in service["secrets"]:
        source = secrets / COMPOSE["secrets"][secret["source"]]["file"].removeprefix("secrets/")
        (tmp_path / secret["target"]).write_bytes(source.read_bytes())
    for variable, value in service["environment"].items():
        text = value.replace("/run/secrets", str(tmp_path)).replace("/etc/latchkey", str(secrets))
        monkeypatch.setenv(
            variable, text.replace("${LATCHKEY_HOST:?such as link.example.com}", "link.example.com")
        )
    settings = load()
    role = DATABASE_ROLES.get(name, name)

    assert f"//latchkey_{role}:" in settings.database_url.get_secret_value()
    assert (name == "tables") == (f"//latchkey_{name}:" not in settings.broker_url.get_secret_value())
    assert "https://link.example.com" == settings.public_url
    if name in keys.FILES:
        assert keys.read(settings.keys_dir, keys.FILES[name])
        assert keys.read(settings.keys_dir, keys.PublicKeys)
        assert {f"{name}.json", "public.json"} == {path.name for path in tmp_path.glob("*.json")}


def test_secrets_are_made_once(secrets: Path) -> None:
    """Passwords in use are not written over; the broker's users and the roles are all there."""
    again = subprocess.run([DEPLOY / "secrets.sh", str(secrets)], capture_output=True, text=True, check=False)
    users = json.loads((secrets / "definitions.json").read_text())["users"]

    assert (2, True) == (again.returncode, "exists already" in again.stderr)
    assert [f"latchkey_{name}" for name in USERS] == [user["name"] for user in users if user["password_hash"]]
    assert 4 == (secrets / "passwords.sql").read_text().count("ALTER ROLE latchkey_")
    assert 0o700 == secrets.stat().st_mode & 0o777


def test_image_breaks_no_rule() -> None:
    """Those of hadolint, all of them."""
    checked = subprocess.run(
        [BIN / "hadolint", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert (0, "") == (checked.returncode, checked.stdout)


def test_image_has_what_it_needs_and_runs_as_nobody() -> None:
    """Every copied file is in the context; packages by their hashes; a user by number, which orchestrators can check."""
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    (user,) = [line.split()[1] for line in lines if line.startswith("USER ")]

    assert [] == [name for name in copied if not (ROOT / name).exists() or f"!{name}" not in kept]
    assert any("--require-hashes" in line for line in lines)
    assert user.split(":")[0].isdigit()
    assert 0 < int(user.split(":")[0])
