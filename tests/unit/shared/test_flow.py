"""Whether messages reach their reader, seen from what waits and what came."""

from shared.bus.flow import STARVED_SECONDS, Flow

LATER = STARVED_SECONDS


def test_nothing_waits() -> None:
    """An idle queue proves nothing bad."""
    flow = Flow(room=4)

    assert [False, False] == [flow.is_starved(0, now) for now in (0, LATER)]


def test_messages_wait_and_none_comes() -> None:
    """With room for them, and for long enough, that means that nobody brings them."""
    flow = Flow(room=4)

    assert [False, False, True] == [flow.is_starved(7, now) for now in (0, LATER - 1, LATER)]


def test_messages_wait_and_some_come() -> None:
    """A long queue that moves is a busy one."""
    flow = Flow(room=4)
    flow.is_starved(7, 0)
    flow.received += 1

    assert [False, False, True] == [flow.is_starved(7, now) for now in (LATER, LATER, 2 * LATER)]


def test_messages_wait_for_room() -> None:
    """A reader with its hands full is not one that gets nothing."""
    flow = Flow(room=4, received=4, in_hand=4)

    assert [False, False] == [flow.is_starved(7, now) for now in (0, LATER)]
