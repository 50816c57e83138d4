"""Bytes <-> events: one broker message carries one or many events of a kind, and how often they were tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from shared.messages import EVENTS, Event

LARGEST_BODY = 1 << 20
"""Bytes; a larger message is not one of ours."""


class WireError(Exception):
    """A broker message that no reader of this version understands; it belongs in the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The content of one broker message."""

    events: tuple[Event, ...]
    attempt: int = 1
    """1 on the first try; grows only for an event that failed on its own."""

    @property
    def kind(self) -> str:
        """Return the routing key all the events share."""
        return self.events[0].kind


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    v: int
    kind: str
    attempt: int = 1
    events: msgspec.Raw


def encode(events: Sequence[Event], *, attempt: int = 1) -> bytes:
    """Return the broker message for *events*, at least one and all of one kind."""
    return packed(kind_of(events), [encode_event(event) for event in events], attempt=attempt)


def kind_of(events: Sequence[Event]) -> type[Event]:
    """Return what *events* all are, or raise ValueError."""
    kinds = set(map(type, events))
    if len(kinds) != 1:
        raise ValueError(f"a broker message carries events of one kind, not {len(kinds)}")
    return kinds.pop()


def encode_event(event: Event) -> bytes:
    """Return one event as it stands in a message."""
    return _ENCODER.encode(event)


def packed(kind: type[Event], events: Sequence[bytes], *, attempt: int = 1) -> bytes:
    """Return the broker message for encoded events of one kind, at least one."""
    raw = msgspec.Raw(b"[" + b",".join(events) + b"]")
    return _ENCODER.encode(_Envelope(v=kind.version, kind=kind.kind, attempt=attempt, events=raw))


def decode(body: bytes) -> Batch:
    """Return the content of a broker message.

    Raises:
        WireError: not our format, an unknown kind, another version, or no event in it.
    """
    if len(body) > LARGEST_BODY:
        raise WireError(f"message of {len(body)} bytes, more than {LARGEST_BODY}")
    try:
        envelope = _ENVELOPE.decode(body)
        events = _events(envelope)
    except msgspec.MsgspecError as error:
        raise WireError(f"not a message of ours: {error}") from error
    if not events:
        raise WireError("a message without events")
    return Batch(events=tuple(events), attempt=envelope.attempt)


def as_first_attempt(body: bytes) -> bytes:
    """Return a broker message as if nobody had tried it yet; one that is not in our format as it is."""
    try:
        envelope = _ENVELOPE.decode(body)
    except msgspec.MsgspecError:
        return body
    return _ENCODER.encode(msgspec.structs.replace(envelope, attempt=1))


def _events(envelope: _Envelope) -> list[Event]:
    kind = EVENTS.get(envelope.kind)
    if kind is None:
        raise WireError(f"unknown kind {envelope.kind[:64]!r}")
    if envelope.v != kind.version:
        raise WireError(f"{kind.kind} of version {envelope.v}; this reader knows {kind.version}")
    return _decoder(kind).decode(envelope.events)


@cache
def _decoder(kind: type[Event]) -> msgspec.json.Decoder[list[Event]]:
    return msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]


_ENCODER = msgspec.json.Encoder()
_ENVELOPE = msgspec.json.Decoder(_Envelope)
