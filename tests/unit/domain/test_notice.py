"""Under which id the service is told, and when again."""

from itertools import accumulate

from shared.domain.notice import LONGEST_WAIT, NoticeKind, notice_id, wait


def test_same_thing_has_the_same_id() -> None:
    """Kinds of one word, and what it happened to."""
    assert "linked.3f9c" == notice_id(NoticeKind.LINKED, "3f9c")
    assert "theft_suspected.g1.2" == notice_id(NoticeKind.THEFT_SUSPECTED, "g1", 2)


def test_ids_of_kinds_differ() -> None:
    """No two kinds share the first word of their ids."""
    assert len(NoticeKind) == len({notice_id(kind, "x") for kind in NoticeKind})


def test_receiver_is_asked_at_once_and_then_ever_less_often() -> None:
    """Ten tries in the first half hour, and at the end four a day."""
    waits = [wait(attempts) for attempts in range(1, 40)]

    assert [2, 4, 8] == waits[:3]
    assert 10 == sum(passed <= 2100 for passed in accumulate(waits))
    assert LONGEST_WAIT == max(waits) == waits[-1]
