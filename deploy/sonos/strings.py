"""The table of texts, in the two forms that Sonos reads: i18next JSON for its portal, strings.xml for S1 and its self test."""

import json
import re
from collections.abc import Mapping
from html import escape

from deploy.sonos import words
from gateway.pages.languages import gettext, spoken
from shared.settings import ServiceSettings

NAMESPACE = "http://sonos.com/sonosapi"
STRING_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What Sonos's stringtable.xsd takes for an id."""
COMMON = {"service-description": words.DESCRIPTION, "service-promo": words.PROMOTION}
"""What the portal wants of every service."""
_PROMOTION_ID = "ServicePromo"

Texts = dict[str, str]
"""Id -> text."""
Table = dict[str, dict[str, Texts]]
"""Sonos's name of a language -> `common` and `integration` -> texts: what an i18next file is."""


def table(service: ServiceSettings) -> Table:
    """Return our texts for a service, in all languages."""
    tables: Table = {}
    for language, tag in words.SONOS_TAGS.items():
        with spoken(language):
            tables[tag] = {
                "common": _filled(COMMON, service),
                "integration": _filled(words.wanted(service), service),
            }
    return tables


def merged(ours: Table, own: Table) -> Table:
    """Return our texts with the service's own, which win."""
    return {
        tag: {
            part: ours.get(tag, {}).get(part, {}) | own.get(tag, {}).get(part, {})
            for part in ("common", "integration")
        }
        for tag in (*ours, *(tag for tag in own if tag not in ours))
    }


def problems(texts: Table, service: ServiceSettings) -> list[str]:
    """Return everything that Sonos would refuse, or show wrongly, in a table of texts."""
    tags = list(words.SONOS_TAGS.values())
    everywhere = {part: {name for tag in texts for name in texts[tag].get(part, {})} for part in COMMON_PARTS}
    everywhere["common"] |= set(COMMON)
    everywhere["integration"] |= set(words.wanted(service))
    found = [f"{tag}: no language of Sonos's; it knows {', '.join(tags)}" for tag in texts if tag not in tags]
    found += [f"{tag}: missing" for tag in tags if tag not in texts]
    for tag in (tag for tag in tags if tag in texts):
        for part, names in everywhere.items():
            missing = sorted(name for name in names if not texts[tag].get(part, {}).get(name))
            found += [f"{tag}: no text for {', '.join(missing)} under `{part}`"] if missing else []
    unfit = sorted(name for name in everywhere["integration"] if not STRING_ID.fullmatch(name))
    found += [f"{name!r}: an id has 1 to 64 of A-Z, a-z, 0-9, _ and -" for name in unfit]
    return found


COMMON_PARTS = ("common", "integration")


def read(content: bytes) -> Table:
    """Return the table that an i18next file holds.

    Raises:
        ValueError: it holds none.
    """
    try:
        document = json.loads(content)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from None
    if not _is_table(document):
        raise ValueError(
            'write it as {"en-US": {"common": {"service-promo": "..."}, "integration": {"SIGN_IN": "..."}}}'
        )
    return {tag: dict(parts) for tag, parts in document.items()}


def as_i18next(texts: Table) -> bytes:
    """Return what is uploaded under "Localization Resources" of the Developer Portal."""
    return (json.dumps(texts, indent=2, ensure_ascii=False) + "\n").encode()


def as_xml(texts: Table, *, version: int) -> bytes:
    """Return strings.xml."""
    tables = "".join(_xml_table(tag, parts, version) for tag, parts in texts.items())
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<stringtables xmlns="{NAMESPACE}">\n{tables}</stringtables>\n'
    ).encode()


def _xml_table(tag: str, parts: Mapping[str, Texts], version: int) -> str:
    texts = {_PROMOTION_ID: parts["common"]["service-promo"], **parts["integration"]}
    rows = "".join(
        f'    <string stringId="{name}">{escape(text, quote=False)}</string>\n'
        for name, text in texts.items()
    )
    return f'  <stringtable rev="{version}" xml:lang="{tag}">\n{rows}  </stringtable>\n'


def _filled(texts: Mapping[str, str], service: ServiceSettings) -> Texts:
    return {name: gettext(text, service=service.title) for name, text in texts.items()}


def _is_table(document: object) -> bool:
    return isinstance(document, dict) and all(
        isinstance(parts, dict)
        and set(parts) <= set(COMMON_PARTS)
        and all(_is_texts(texts) for texts in parts.values())
        for parts in document.values()
    )


def _is_texts(texts: object) -> bool:
    return isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())
