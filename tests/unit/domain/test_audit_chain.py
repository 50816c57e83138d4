"""The chain over the audit log. Digests are in people's databases: what is computed here has to stay as it is for ever."""

from dataclasses import replace

import pytest

from shared.domain.audit_chain import (
    FIRST,
    Recorded,
    Seal,
    content_digest,
    faults,
    sealed_digest,
    statement,
)

LINKED = Recorded(
    event_id=7,
    at=1_795_000_000,
    kind="link.linked",
    service="default",
    link_id="l1",
    account_id="a1",
    grant_id="g1",
    household_id="Sonos_1",
    detail='{"family": 1}',
    content_digest=content_digest("Sonos_1", '{"family": 1}'),
)
OLD = replace(LINKED, event_id=8, content_digest=None)
EVENTS = (LINKED, OLD)
FIRST_SEAL = Seal(seal_id=1, last_event_id=6, events=6, digest="d" * 64, at=1_795_000_000)
SEAL = Seal(
    seal_id=2, last_event_id=8, events=2, digest=sealed_digest(FIRST_SEAL.digest, EVENTS), at=1_795_000_060
)

CONTENT = "7675c66708adf79bbf2f1fb7539345f1dc611334f7fbc4e9392481507bd910d5"
SEALED = "fbedfe610559f2c93953b8f863d54dde8b05ef2e49bcc392009130b666c69ab6"
STATEMENT = b'latchkey audit seal\x00[2, 8, 2, "fbedfe610559f2c93953b8f863d54dde8b05ef2e49bcc392009130b666c69ab6", 1795000060]'


def wrong(
    seal: Seal = SEAL,
    events: tuple[Recorded, ...] = EVENTS,
    *,
    previous: Seal | None = FIRST_SEAL,
    is_signed: bool = True,
    deleted_before: int = 0,
) -> list[str]:
    """Return what is found wrong, with one thing other than it should be."""
    return faults(previous, seal, events, is_signed=is_signed, deleted_before=deleted_before)


def test_digests_stay_as_they_are() -> None:
    """A release that computed others would call every database forged."""
    assert CONTENT == LINKED.content_digest
    assert SEALED == SEAL.digest
    assert sealed_digest(FIRST, ()) == FIRST == "0" * 64
    assert STATEMENT == statement(SEAL)


def test_events_from_before_the_chain_count_as_if_they_had_a_digest() -> None:
    """What is not written down is computed."""
    written = replace(OLD, content_digest=content_digest(OLD.household_id, OLD.detail))
    assert SEAL.digest == sealed_digest(FIRST_SEAL.digest, (LINKED, written))


def test_nothing_is_wrong_with_what_nobody_touched() -> None:
    """Of a second seal as of the first."""
    first = replace(SEAL, seal_id=1, digest=sealed_digest(FIRST, EVENTS))
    assert ([], []) == (wrong(), wrong(first, previous=None))


def test_an_account_that_was_erased_breaks_nothing() -> None:
    """Household and detail are gone, and what stands for them is there."""
    assert [] == wrong(events=(replace(LINKED, household_id=None, detail="{}"), OLD))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"events": (LINKED,)}, ["seal 2: 1 of 2 events are gone"]),
        ({"events": ()}, ["seal 2: 2 of 2 events are gone"]),
        ({"events": (LINKED, LINKED, OLD)}, ["seal 2: 1 events were put in later"]),
        ({"events": (replace(LINKED, kind="x"), OLD)}, ["seal 2: an event up to 8 was changed"]),
        ({"events": (replace(LINKED, at=1), OLD)}, ["seal 2: an event up to 8 was changed"]),
        ({"events": (replace(LINKED, grant_id=None), OLD)}, ["seal 2: an event up to 8 was changed"]),
        ({"events": (OLD, LINKED)}, ["seal 2: an event up to 8 was changed"]),
        (
            {"events": (replace(LINKED, household_id="Sonos_2"), OLD)},
            ["event 7: household or detail was changed"],
        ),
        ({"events": (replace(LINKED, detail="{}"), OLD)}, ["event 7: household or detail was changed"]),
        ({"is_signed": False}, ["seal 2: not signed by a key of token_worker that is known here"]),
        (
            {"previous": None},
            ["the seal before seal 2 is missing", "seal 2: an event up to 8 was changed"],
        ),
        (
            {"previous": replace(FIRST_SEAL, seal_id=2)},
            ["the seal before seal 2 is missing"],
        ),
        ({"previous": replace(FIRST_SEAL, digest="e" * 64)}, ["seal 2: an event up to 8 was changed"]),
        ({"events": (LINKED,), "deleted_before": SEAL.at}, ["seal 2: 1 of 2 events are gone"]),
        ({"events": (LINKED,), "deleted_before": SEAL.at + 1}, []),
        (
            {"events": (replace(LINKED, detail="x"),), "deleted_before": SEAL.at + 1},
            ["event 7: household or detail was changed"],
        ),
        (
            {"events": (LINKED, LINKED, OLD), "deleted_before": SEAL.at + 1},
            ["seal 2: 1 events were put in later"],
        ),
    ],
)
def test_what_was_touched_shows(changed: dict[str, object], said: list[str]) -> None:
    """And is told in words; what retention has deleted is none of it."""
    assert said == wrong(**changed)  # type: ignore[arg-type]
