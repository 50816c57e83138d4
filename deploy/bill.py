"""The bill of materials: what a release consists of, in the form of CycloneDX 1.6: `python -m deploy.bill constraints.txt > sbom.json`.

Made from the lock file, which names every package with its version and hashes, and from what the installed packages say of themselves.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

LONGEST_NAME = 60
"""A field `License` that is longer holds the licence itself, and not its name."""
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ]+) \\$", re.MULTILINE)
_CLASSIFIER = "License :: OSI Approved :: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One package."""

    name: str
    version: str
    licence: str
    """As the package calls it: an SPDX expression, where it has one."""


def components(constraints: str) -> list[Component]:
    """Return what a lock file pins.

    Args:
        constraints: the content of the file.

    Raises:
        importlib.metadata.PackageNotFoundError: a package is not installed here.
    """
    return [
        Component(name=name, version=version, licence=_licence(metadata.metadata(name)))
        for name, version in _PIN.findall(constraints)
    ]


def bill(parts: Sequence[Component]) -> dict[str, Any]:
    """Return the bill of Latchkey and its parts, in the form of CycloneDX 1.6."""
    version = metadata.version("latchkey")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "latchkey",
                "name": "latchkey",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [_component(part) for part in parts],
        "dependencies": [{"ref": "latchkey", "dependsOn": [_address(part) for part in parts]}],
    }


def page(parts: Sequence[Component]) -> str:
    """Return the page of licences."""
    lines = [
        "# Licences",
        "",
        "This page is made from the code by `make docs`.",
        "",
        "Latchkey is under the Apache License 2.0. It runs on these packages, each under its own:",
        "",
        "| package | licence |",
        "|---|---|",
        *(f"| {part.name} | {part.licence} |" for part in parts),
    ]
    return "\n".join(lines) + "\n"


def _component(part: Component) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _address(part),
        "name": part.name,
        "version": part.version,
        "purl": _address(part),
        "licenses": [{"license": {"name": part.licence}}],
    }


def _address(part: Component) -> str:
    return f"pkg:pypi/{part.name}@{part.version}"


def _licence(about: metadata.PackageMetadata) -> str:
    """Return what a package says its licence is: by expression, by its short name, or by its classifiers."""
    named = [str(about[field]) for field in ("License-Expression", "License") if field in about]
    short = [name for name in named if name and len(name) <= LONGEST_NAME and "\n" not in name]
    classifiers = about.get_all("Classifier") or []
    classified = [each.removeprefix(_CLASSIFIER) for each in classifiers if each.startswith(_CLASSIFIER)]
    return (short or [" or ".join(classified)])[0] or "unknown"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(bill(components(Path(sys.argv[1]).read_text())), indent=2) + "\n")
