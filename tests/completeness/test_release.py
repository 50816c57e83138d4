"""What a release is made of: a bill of materials with every package, under licences that may go together."""

import re

from deploy.bill import bill, components, page
from tests.documents import ROOT

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
