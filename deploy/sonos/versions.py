"""The versions under which Sonos keeps what it was given: it asks again for what has a new one, and for nothing else."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = "versions.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What was exported last under a name."""

    version: int
    sha256: str


def next_version(before: Version | None, content: bytes) -> Version:
    """Return the version of a content: that of before if it is the same, else one more."""
    digest = hashlib.sha256(content).hexdigest()
    if before is not None and before.sha256 == digest:
        return before
    return Version(version=before.version + 1 if before else 1, sha256=digest)


def read(folder: Path) -> dict[str, Version]:
    """Return the versions of an earlier export into a folder; empty if there was none.

    Raises:
        ValueError: the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        return {
            name: Version(version=int(each["version"]), sha256=str(each["sha256"]))
            for name, each in json.loads(path.read_bytes()).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(
            f"{path} is damaged; write the versions that Sonos has into it, or restore it"
        ) from None


def as_json(versions: Mapping[str, Version]) -> bytes:
    """Return the file's content."""
    document = {
        name: {"version": each.version, "sha256": each.sha256} for name, each in sorted(versions.items())
    }
    return (json.dumps(document, indent=2) + "\n").encode()
