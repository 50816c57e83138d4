"""What the playground shows of secrets, hashes and ids: enough to tell them apart, too little to use."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import msgspec

from shared.messages import Event

SHOWN = 6
"""Characters of a secret or a hash."""
LONGEST_ID = 12

_HASHES = frozenset(
    {"browser", "content_digest", "entry_id", "key_hash", "network", "session_hash", "typed_id", "typed_ids"}
)
_TIMES = frozenset({"at", "started_by"})
_SECRETS = "authToken|privateKey|token|key|linkCode|linkDeviceId|sessionId|username|password|userIdHashCode"
_ELEMENT = re.compile(rf"(<(?:\w+:)?(?:{_SECRETS})>)([^<]{{{SHOWN}}})[^<]+(</)")
_ADDRESS = re.compile(rf"(/link/\w{{{SHOWN}}})\w+")
_TAG = re.compile(r"(<[^>]+>)")


def masked(secret: str) -> str:
    """Return the first characters of a secret."""
    return f"{secret[:SHOWN]}…"


def without(text: str, secrets: Collection[str]) -> str:
    """Return a text with each of the *secrets* masked, wherever it stands."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, masked(secret))
    return text


def soap(xml: str, secrets: Collection[str]) -> str:
    """Return an envelope to read: masked, one element a line, indented."""
    masked_xml = _ADDRESS.sub(r"\1…", _ELEMENT.sub(r"\1\2…\3", without(xml, secrets)))
    return indented(masked_xml)


def indented(xml: str) -> str:
    """Return XML with each element on a line of its own; an element that holds text alone stays on one line."""
    lines: list[str] = []
    depth, has_opened = 0, False
    for part in filter(None, (part.strip() for part in _TAG.split(xml))):
        is_end = part.startswith("</")
        depth -= is_end
        if lines and has_opened and (is_end or not part.startswith("<")):
            lines[-1] += part
            has_opened = not is_end
            continue
        if lines and is_end and not lines[-1].rstrip().endswith(">"):
            lines[-1] += part
            continue
        lines.append("  " * depth + part)
        has_opened = part.startswith("<") and not is_end and not part.endswith(("/>", "?>"))
        depth += has_opened
    return "\n".join(lines)


def event(message: Event) -> str:
    """Return an event's fields, one a line."""
    values = msgspec.structs.asdict(message)
    return fields(
        {"event": message.kind} | {name: value for name, value in values.items() if value not in (None, "")}
    )


def fields(values: Mapping[str, object]) -> str:
    """Return names and values, one pair a line, in two columns."""
    width = max((len(name) for name in values), default=0)
    return "\n".join(f"{name:<{width}}  {value_of(name, value)}" for name, value in values.items())


def value_of(name: str, value: object) -> str:
    """Return a field of an event or a column of a row as it may be shown."""
    if isinstance(value, bytes):
        return f"sealed, {len(value)} bytes"
    if isinstance(value, tuple):
        return ", ".join(value_of(name, each) for each in value)
    if isinstance(value, int) and (name.endswith("_at") or name in _TIMES):
        return f"{datetime.fromtimestamp(value, UTC):%H:%M:%S} UTC"
    text = str(value)
    if name in _HASHES:
        return masked(text)
    return f"{text[:LONGEST_ID]}…" if name.endswith("_id") and len(text) > LONGEST_ID else text
