"""What README and docs have people type: commands and options that exist, and console blocks that run, or say why not here."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from deploy import embedded
from deploy.cli import main
from shared.settings import load
from tests.documents import PAGES, ROOT, scripts

ELSEWHERE = {
    "printf ": "changes the machine",
    "sudo ": "changes the machine; units and proxies are tried in test_systemd and test_proxies",
    "docker ": "needs an engine; `make containers` does it by podman",
    "deploy/secrets.sh ": "test_compose runs it",
    "LATCHKEY=": "needs an engine; `make containers` does it by podman",
    "LATCHKEY_HOST=": "needs an engine; `make containers` does what it says by podman",
    "kubectl ": "needs kubectl; `make containers` runs the whole page",
    "for role in": "needs kubectl; `make containers` runs the whole page",
    "helm ": "needs a cluster; `make containers` plays what it renders by podman",
    "pg_dump ": "test_database_roles runs the whole block",
    "createdb ": "test_database_roles runs the whole block",
    "psql ": "test_database_roles runs the whole block",
    "pg_restore ": "test_database_roles runs the whole block",
    "latchkey keys create /etc": "test_readme runs the whole block",
    "latchkey migrate": "test_readme runs the whole block",
    "latchkey gateway": "test_readme runs the whole block",
    "latchkey auth-worker": "test_readme runs the whole block",
    "latchkey token-worker": "test_readme runs the whole block",
    "latchkey check https://": "needs the internet; test_proxies runs it behind both proxies",
    "export LATCHKEY_CHECK_PASSWORD": "goes with it",
    "git ": "changes the repository",
    "ssh-keygen ": "test_release signs and checks with a key of its own",
    "sha256sum ": "test_release runs the whole block",
    "(cd dist ": "needs a release",
    ".venv/bin/python -m build": "test_wheel builds it",
    "make ": "test_release does what it does",
}
"""How a command begins that is not run here -> why, or where it is."""

CONSOLES = [str(page.relative_to(ROOT)) for page in PAGES if scripts(str(page.relative_to(ROOT)))]
_CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_SHOWN = {"CHANGELOG.md", "docs/commands.md", "docs/check.md"}
"""Pages that are made from the code, or tell of the past."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installation."""
    folder = tmp_path_factory.mktemp("terminal")
    embedded.prepare(
        load(**embedded.settings_for(folder / "latchkey-data", listen="127.0.0.1:1", public_url=None))
    )
    return folder


@pytest.mark.parametrize("page", CONSOLES)
def test_console_blocks_run(page: str, place: Path) -> None:
    """One after the other, as somebody types them who follows the page."""
    lines = [line for script in scripts(page) for line in script.splitlines()]
    script = "\n".join(line for line in lines if not line.startswith(tuple(ELSEWHERE)))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=place,
        env={"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert lines
    assert 0 == done.returncode, done.stdout + done.stderr


def test_every_reason_is_needed() -> None:
    """A command that is gone from the docs needs no reason any more."""
    lines = [line for page in CONSOLES for script in scripts(page) for line in script.splitlines()]

    assert set() == {start for start in ELSEWHERE if not any(line.startswith(start) for line in lines)}


def invocations() -> list[tuple[str, str]]:
    """Return every `latchkey` command that a page shows, with the page."""
    found = []
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        if name in _SHOWN:
            continue
        for block, inline in _CODE.findall(page.read_text()):
            for line in (block or inline).splitlines():
                command = re.search(r"(?:^|\$ |-u latchkey )(latchkey(?: [^#|]*)?)", line.strip())
                if command:
                    found.append((name, command[1].strip()))
    return sorted(set(found))


@pytest.mark.parametrize(("page", "text"), invocations())
def test_every_command_is_one(page: str, text: str) -> None:
    """The command is there, and has the options that the page gives it."""
    words = shlex.split(text.replace("…", ""))[1:]
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        names = words.pop(0).split("|")
        assert all(name in command.commands for name in names), f"{page}: {text}"
        command = command.commands[names[0]]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}

    assert [] == [word for word in words if word.startswith("--") and word.split("=")[0] not in options]
