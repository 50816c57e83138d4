"""The chain over the audit log: each seal covers the events since the last one, and that seal itself.

What is personal in an event (household and detail) is covered by its digest alone, which was made when the event was written: so an
account can be erased without breaking the chain, and a change that is no erasure shows.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

FIRST = "0" * 64
"""What the first seal continues."""
ERASED = (None, "{}")
"""Household and detail of an event whose account was erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One row of `audit_events`, as it stands there."""

    event_id: int
    at: int
    kind: str
    service: str
    link_id: str | None
    account_id: str | None
    grant_id: str | None
    household_id: str | None
    detail: str
    content_digest: str | None
    """None for events from before there was a chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One row of `audit_seals`."""

    seal_id: int
    """Counts from 1."""
    last_event_id: int
    events: int
    """How many events it covers: all after the last seal's, up to and with `last_event_id`."""
    digest: str
    at: int
    """Seconds since the epoch, by the database's clock."""
    signature: str = ""
    """A compact JWS of `statement`, by token_worker's signing key."""


def content_digest(household_id: str | None, detail: str) -> str:
    """Return what stands for the personal part of an event, in hex."""
    return _sha256("content", household_id, detail)


def sealed_digest(previous: str, events: Iterable[Recorded]) -> str:
    """Return the digest of a seal over events in the order of their ids, in hex."""
    digest = previous
    for each in events:
        digest = _sha256(
            digest,
            *(each.event_id, each.at, each.kind, each.service, each.link_id, each.account_id, each.grant_id),
            each.content_digest or content_digest(each.household_id, each.detail),
        )
    return digest


def statement(seal: Seal) -> bytes:
    """Return what a seal's signature is over; no claims of a token, so that neither is taken for the other."""
    values = (seal.seal_id, seal.last_event_id, seal.events, seal.digest, seal.at)
    return b"latchkey audit seal\0" + json.dumps(values).encode()


def faults(
    previous: Seal | None,
    seal: Seal,
    events: Sequence[Recorded],
    *,
    is_signed: bool,
    deleted_before: int,
) -> list[str]:
    """Return what is wrong with a seal and the events it covers, in words; nothing if all is as it was.

    Args:
        events: those that are there now, in the order of their ids.
        is_signed: whether token_worker's key made the signature.
        deleted_before: events from before this time may be gone by retention.
    """
    found = []
    if seal.seal_id != (previous.seal_id + 1 if previous else 1):
        found.append(f"the seal before seal {seal.seal_id} is missing")
    if not is_signed:
        found.append(f"seal {seal.seal_id}: not signed by a key of token_worker that is known here")
    found += [
        f"event {each.event_id}: household or detail was changed" for each in events if _is_changed(each)
    ]
    missing = seal.events - len(events)
    if missing > 0 and seal.at < deleted_before:
        return found
    if missing > 0:
        found.append(f"seal {seal.seal_id}: {missing} of {seal.events} events are gone")
    elif missing < 0:
        found.append(f"seal {seal.seal_id}: {-missing} events were put in later")
    elif sealed_digest(previous.digest if previous else FIRST, events) != seal.digest:
        found.append(f"seal {seal.seal_id}: an event up to {seal.last_event_id} was changed")
    return found


def _is_changed(event: Recorded) -> bool:
    content = (event.household_id, event.detail)
    return event.content_digest not in (None, content_digest(*content)) and content != ERASED


def _sha256(*values: Any) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()
