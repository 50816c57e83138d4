"""The wire: what is sent is what is read; what is not ours is refused; old readers survive new fields."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import wire
from shared.messages import EVENTS, Event, LinkRequested, TokenSeen
from shared.wire import LARGEST_BODY, Batch, WireError

kinds = st.sampled_from(sorted(EVENTS.values(), key=lambda kind: kind.kind))
SEEN = TokenSeen(service="default", grant_id="grant", family=1, generation=2)


@settings(deadline=None)  # the first event of a kind takes hypothesis a second to think of
@given(data=st.data(), kind=kinds, attempt=st.integers(1, 100))
def test_events_come_back(data: st.DataObject, kind: type[Event], attempt: int) -> None:
    """Any events of any kind, one or many, with their attempt."""
    events = data.draw(st.lists(st.from_type(kind), min_size=1, max_size=5))
    batch = wire.decode(wire.encode(events, attempt=attempt))

    assert Batch(events=tuple(events), attempt=attempt) == batch
    assert kind.kind == batch.kind


@given(body=st.binary(max_size=400))
def test_noise_is_refused(body: bytes) -> None:
    """Whatever bytes arrive, there is one exception for what is not ours."""
    with pytest.raises(WireError):
        wire.decode(body)


@given(cut=st.integers(0, len(wire.encode([SEEN])) - 1))
def test_cut_message_is_refused(cut: int) -> None:
    """Half a message is none."""
    with pytest.raises(WireError):
        wire.decode(wire.encode([SEEN])[:cut])


def test_unknown_fields_are_ignored() -> None:
    """A newer writer may tell more than this reader wants to know."""
    told = msgspec.json.decode(wire.encode([SEEN]))
    told["traceparent"] = "00-abc"
    told["events"][0]["mood"] = "good"

    assert (SEEN,) == wire.decode(msgspec.json.encode(told)).events


def test_missing_optional_fields_are_filled() -> None:
    """An older writer may tell less."""
    told = {
        "v": 1,
        "kind": "token.seen",
        "events": [{"service": "s", "grant_id": "g", "family": 1, "generation": 1}],
    }

    assert ("", "") == (
        (event := wire.decode(msgspec.json.encode(told)).events[0]).gateway,
        event.correlation_id,
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, "token.seen of version 2"),
        ({"kind": "token.forgotten"}, "unknown kind"),
        ({"events": []}, "without events"),
        ({"events": [{"grant_id": 1}]}, "not a message of ours"),
        ({"attempt": "often"}, "not a message of ours"),
    ],
)
def test_message_of_another_age_is_refused(change: dict[str, object], reason: str) -> None:
    """With a reason for whoever finds it among the dead letters."""
    told = msgspec.json.decode(wire.encode([SEEN])) | change

    with pytest.raises(WireError, match=reason):
        wire.decode(msgspec.json.encode(told))


def test_message_that_is_too_large_is_refused() -> None:
    """Before any of it is read."""
    with pytest.raises(WireError, match="more than"):
        wire.decode(b" " * (LARGEST_BODY + 1))


def test_mixed_kinds_do_not_share_a_message() -> None:
    """The routing key is that of all its events."""
    other = LinkRequested(service="s", link_id="l", lifetime=1, household_id="h")

    with pytest.raises(ValueError, match="one kind"):
        wire.encode([SEEN, other])
