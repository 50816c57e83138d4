"""What a release is made of: a bill of materials with every package, under licences that may go together."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.bill import bill, components, page
from tests.documents import ROOT, scripts

LOCK = (ROOT / "constraints.txt").read_text()
PARTS = components(LOCK)
KNOWN = re.compile(
    r"(Apache|MIT|BSD|PSF|Python Software Foundation|ISC|Mozilla Public License|MPL)", re.IGNORECASE
)


def test_bill_names_every_package() -> None:
    """With its version, once, and as what the application depends on."""
    made = bill(PARTS)
    pinned = re.findall(r"^([a-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE)

    assert pinned == [(each["name"], each["version"]) for each in made["components"]]
    assert made["dependencies"][0]["dependsOn"] == [each["purl"] for each in made["components"]]
    assert ("CycloneDX", "1.6") == (made["bomFormat"], made["specVersion"])


def test_licences_go_together() -> None:
    """Each lets us ship under Apache 2.0; a package that does not say so is looked at by somebody."""
    assert [] == [part for part in PARTS if not KNOWN.search(part.licence)]
    assert all(part.name in page(PARTS) for part in PARTS)


def test_every_package_is_locked_by_hash() -> None:
    """In all lock files."""
    for name in ("constraints.txt", "constraints-dev.txt", "constraints-site.txt"):
        text = (ROOT / name).read_text()
        pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==.*$", text, re.MULTILINE)

        assert pins
        assert [] == [pin for pin in pins if not pin.endswith("\\")]


def test_security_policy_leads_to_what_it_names() -> None:
    """Its links are there, and it says how to tell us and by when."""
    text = (ROOT / "SECURITY.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)

    assert [] == [link for link in links if not (ROOT / link).exists()]
    assert "latchkey --version" in text
    assert "days" in text


def test_what_is_signed_can_be_checked(tmp_path: Path) -> None:
    """The commands of the page, by a maintainer with a key of his own, and then by whoever installs."""
    key = tmp_path / ".ssh" / "id_ed25519"
    key.parent.mkdir()
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "latchkey.whl").write_text("what people install")
    prepared = [
        f"ssh-keygen -q -t ed25519 -N '' -f {key}",
        "git init -q",
        "git config user.name Maintainer",
        "git config user.email maintainer@example.com",
        "git commit -q --allow-empty --message release",
        *re.findall(r"`(git config [^`]+)`", (ROOT / "docs/releasing.md").read_text()),
        f'echo "maintainers $(cat {key}.pub)" > allowed_signers',
    ]
    signing, publishing, checking = [script.splitlines() for script in scripts("docs/releasing.md")]
    here = [
        line
        for line in signing + publishing
        if not line.startswith(("git push", ".venv/bin/python", "make "))
    ]
    ran(prepared + here, tmp_path)
    for path in (tmp_path / "dist").iterdir():
        shutil.copy(path, tmp_path)
    said = ran(checking, tmp_path)
    (tmp_path / "latchkey.whl").write_text("something else")

    assert 2 == said.count("signature for maintainers")
    assert "latchkey.whl: OK" in said
    with pytest.raises(AssertionError, match=r"latchkey\.whl: FAILED"):
        ran(checking, tmp_path)


def ran(commands: list[str], folder: Path) -> str:
    """Run commands as somebody whose home is *folder*, and return all that they say."""
    done = subprocess.run(
        ["bash", "-euc", "\n".join(commands)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
    return done.stdout
