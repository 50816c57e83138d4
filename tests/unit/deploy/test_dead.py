"""What may be said of dead letters, and which are meant."""

import pytest

from deploy import dead
from shared import wire
from shared.bus.base import DeadLetter
from shared.messages import LinkRequested

EVENT = LinkRequested(
    service="default", link_id="canary-link", lifetime=600, household_id="Sonos_canary-household"
)


def letter(letter_id: str, *, queue: str = "auth.link", body: bytes | None = None) -> DeadLetter:
    body = wire.encode([EVENT, EVENT], attempt=8) if body is None else body
    return DeadLetter(letter_id=letter_id, queue=queue, reason="Boom", body=body, buried_at=None)


def test_nothing_that_is_in_a_letter_is_shown() -> None:
    """Its kind, how many events, which attempt, and why; neither ids nor households."""
    shown = dead.shown(letter("0123456789abcdef"))

    assert ("0123456789ab", "link.requested", 2, 8, "Boom") == (
        shown.letter_id,
        shown.kind,
        shown.events,
        shown.attempt,
        shown.reason,
    )
    assert "canary" not in repr(shown)


def test_letter_that_nobody_understands_is_shown_as_that() -> None:
    """Without any of its bytes."""
    shown = dead.shown(letter("a", body=b"canary"))

    assert (dead.NOT_OURS, 0, None) == (shown.kind, shown.events, shown.attempt)
    assert "canary" not in repr(shown)


def test_letters_are_named_by_the_beginning_of_their_ids() -> None:
    """Enough to be one alone; none named means all."""
    found = [letter("aa1"), letter("aa2"), letter("b")]

    assert ["aa2", "b"] == [each.letter_id for each in dead.selected(found, ["aa2", "b"])]
    assert found == dead.selected(found, None)


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        (["c"], "there is no dead letter 'c'; `latchkey dead list` shows all"),
        (["aa"], "2 dead letters begin with 'aa'"),
        (["d"], "which is no queue of this version"),
    ],
)
def test_letter_that_cannot_go_back(chosen: list[str], complaint: str) -> None:
    """It is said why, and nothing is selected."""
    found = [letter("aa1"), letter("aa2"), letter("d", queue="auth.gone")]
    with pytest.raises(ValueError, match=complaint):
        dead.selected(found, chosen)


@pytest.mark.parametrize(
    ("buried_at", "age"),
    [(None, "unknown"), (1001, "0 s"), (941, "59 s"), (940, "1 min"), (-6200, "2 h"), (-172_000, "2 d")],
)
def test_age_is_in_the_largest_unit_that_fits(buried_at: int | None, age: str) -> None:
    """Clocks that differ make nothing younger than new."""
    assert age == dead.age(buried_at, 1000)
