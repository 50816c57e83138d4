"""The folder of everything that Sonos wants uploaded, or served."""

import json
from dataclasses import dataclass
from pathlib import Path

from deploy.check.document import Unreadable, local_name, parsed
from deploy.sonos import portal, strings, versions
from deploy.sonos.strings import Table
from deploy.sonos.versions import Version
from shared.settings import Settings

STRINGS, STRINGS_XML, MAP, MANIFEST, CHECKLIST = (
    "strings.json",
    "strings.xml",
    "presentationmap.xml",
    "manifest.json",
    "checklist.md",
)
EMPTY_MAP = (
    b'<?xml version="1.0" encoding="utf-8"?>\n'
    b"<!-- How the Sonos app shows and searches your catalogue. Nothing about accounts stands here:\n"
    b"     write it for your content, and name the file when you export again. -->\n"
    b"<Presentation>\n</Presentation>\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What the service brings itself."""

    texts: Table
    presentation_map: bytes = EMPTY_MAP


def files(
    settings: Settings, name: str, own: Own, *, url: str, before: dict[str, Version]
) -> dict[str, bytes]:
    """Return the content of each file.

    Args:
        name: the service.
        url: where the folder will be served.
        before: the versions of an earlier export.

    Raises:
        ValueError: with everything that Sonos would refuse.
    """
    service = settings.services[name]
    texts = strings.merged(strings.table(service), own.texts)
    _refuse(strings.problems(texts, service))
    now = {
        "strings": versions.next_version(before.get("strings"), strings.as_i18next(texts)),
        "presentationMap": versions.next_version(before.get("presentationMap"), own.presentation_map),
    }
    registration = portal.registration(settings, name, url=url, versions=now)
    return {
        STRINGS: strings.as_i18next(texts),
        STRINGS_XML: strings.as_xml(texts, version=now["strings"].version),
        MAP: own.presentation_map,
        MANIFEST: _manifest(url, now),
        CHECKLIST: portal.checklist(registration, service).encode(),
        versions.FILE: versions.as_json(now),
    }


def write(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    """Write the files, and return those that are new or other than before."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, content in contents.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
            changed.append(path)
    return changed


def checked_map(content: bytes) -> bytes:
    """Return a presentation map that can be read.

    Raises:
        ValueError: it cannot.
    """
    try:
        root = parsed(content)
    except Unreadable as error:
        raise ValueError(f"--presentation-map: {error}") from None
    if local_name(root) != "Presentation":
        raise ValueError(
            f"--presentation-map: its root is <{local_name(root)}>, and has to be <Presentation>"
        )
    return content


def _manifest(url: str, now: dict[str, Version]) -> bytes:
    document = {
        "schemaVersion": "1.0",
        "strings": {"uri": f"{url}/{STRINGS_XML}", "version": now["strings"].version},
        "presentationMap": {"uri": f"{url}/{MAP}", "version": now["presentationMap"].version},
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ValueError(
            "Sonos would not take these texts; correct the settings, or the file of --strings:\n"
            + "\n".join(f"- {problem}" for problem in problems)
        )
