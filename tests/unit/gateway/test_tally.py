"""What a gateway has seen of links is counted within bounds, and told in few messages."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway import tally
from gateway.tally import Tally
from shared.bus.base import BusUnavailable
from shared.bus.memory import MemoryBus
from shared.domain.link_code import VerifiedCode
from shared.domain.sight import LONGEST_NOTE, Sight
from shared.messages import LinkObserved, Seen
from shared.wire import decode, encode
from tests.play.alone import StillClock

NOW = 1_790_000_000


def code(number: int = 1) -> VerifiedCode:
    return VerifiedCode(
        link_id=f"link-{number}",
        expires_at=NOW + 600,
        link_device_id="d",
        code="k",
        service="default",
        key=b"",
    )


class Post(MemoryBus):
    """A bus that keeps what was published, message by message, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[list[LinkObserved]] = []
        self.is_away = False

    async def publish(self, events: Sequence[object]) -> None:
        if self.is_away:
            raise BusUnavailable("away")
        self.messages.append(list(events))  # type: ignore[arg-type]


def seen(sight: Sight, times: int, first: int = NOW, last: int = NOW, note: str = "") -> Seen:
    return Seen(sight=sight, times=times, first_at=first, last_at=last, note=note)


async def test_a_new_kind_of_sight_is_told_at_once() -> None:
    """And what was merely seen again waits until everything is told; then it goes with all that was seen before."""
    seen_here, post = Tally(), Post()
    seen_here.saw(code(), Sight.RETRY, NOW)
    await seen_here.tell(post, "gateway-1", everything=False)
    for later in (5, 10):
        seen_here.saw(code(), Sight.RETRY, NOW + later)
    await seen_here.tell(post, "gateway-1", everything=False)
    told_at_once = len(post.messages)
    await seen_here.tell(post, "gateway-1", everything=True)
    seen_here.saw(code(), Sight.DELIVERED, NOW + 12, "Sonos_other")
    await seen_here.tell(post, "gateway-1", everything=False)
    again = seen(Sight.RETRY, 3, NOW, NOW + 10)

    assert 1 == told_at_once
    assert [
        (seen(Sight.RETRY, 1),),
        (again,),
        (again, seen(Sight.DELIVERED, 1, NOW + 12, NOW + 12, "Sonos_other")),
    ] == [message[0].seen for message in post.messages]


async def test_nothing_new_is_no_message() -> None:
    """Whether everything is asked for or not."""
    seen_here, post = Tally(), Post()
    seen_here.saw(code(), Sight.PAGE, NOW)
    for everything in (True, True, False):
        await seen_here.tell(post, "gateway-1", everything=everything)

    assert 1 == len(post.messages)


async def test_what_was_not_taken_is_told_later() -> None:
    """The broker is away for a while."""
    seen_here, post = Tally(), Post()
    seen_here.saw(code(), Sight.PAGE, NOW)
    post.is_away = True
    await seen_here.tell(post, "gateway-1", everything=False)
    post.is_away = False
    await seen_here.tell(post, "gateway-1", everything=False)

    assert [[(seen(Sight.PAGE, 1),)]] == [[each.seen for each in message] for message in post.messages]


async def test_many_links_go_in_few_messages() -> None:
    """Not one each."""
    seen_here, post = Tally(), Post()
    for number in range(tally.MOST_TOLD + 1):
        seen_here.saw(code(number), Sight.PAGE, NOW)
    await seen_here.tell(post, "gateway-1", everything=False)

    assert [tally.MOST_TOLD, 1] == [len(message) for message in post.messages]


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest link makes room, and notes are cut."""
    monkeypatch.setattr(tally, "MOST_LINKS", 2)
    seen_here, post = Tally(), Post()
    for number in (1, 2, 3):
        seen_here.saw(code(number), Sight.DELIVERED, NOW, "x" * 1000)
    await seen_here.tell(post, "gateway-1", everything=True)

    assert [{"link-2", "link-3"}] == [{each.link_id for each in message} for message in post.messages]
    assert {LONGEST_NOTE} == {len(each.seen[0].note) for message in post.messages for each in message}


async def test_waiting_households_do_not_push_each_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than are counted, round after round: those that were first stay, and nothing is news twice."""
    monkeypatch.setattr(tally, "MOST_LINKS", 2)
    seen_here, post = Tally(), Post()
    for later in (0, 5, 10):
        for number in (1, 2, 3, 4):
            seen_here.saw(code(number), Sight.RETRY, NOW + later)
        await seen_here.tell(post, "gateway-1", everything=False)

    assert [{"link-1", "link-2"}] == [{each.link_id for each in message} for message in post.messages]


async def test_what_is_new_is_told_soon_and_what_came_again_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock that goes by as much as is slept, with one thing that is seen all of the time."""
    sleep, seen_here, post, clock = asyncio.sleep, Tally(), Post(), StillClock(NOW)
    left, told_at = int(2 * tally.COUNT_SECONDS / tally.TELL_SECONDS) + 1, list[float]()

    async def passing(seconds: float) -> None:
        nonlocal left
        told_at.extend([clock.passed] * (len(post.messages) - len(told_at)))
        if not left:
            raise asyncio.CancelledError
        left -= 1
        clock.passed += seconds
        seen_here.saw(code(), Sight.RETRY, clock.now())
        await sleep(0)

    monkeypatch.setattr("gateway.tally.asyncio.sleep", passing)
    with pytest.raises(asyncio.CancelledError):
        await seen_here.run(post, "gateway-1", clock)

    assert [tally.TELL_SECONDS, tally.COUNT_SECONDS, 2 * tally.COUNT_SECONDS] == told_at


async def test_a_link_that_is_over_is_forgotten() -> None:
    """Not before nobody can ask for it any more."""
    seen_here, post = Tally(), Post()
    seen_here.saw(code(), Sight.PAGE, NOW)
    await seen_here.tell(post, "gateway-1", everything=True)
    kept = []
    for later in (600, 600 + tally.GRACE_SECONDS):
        seen_here.forget(NOW + later)
        kept.append(len(seen_here._links))

    assert [1, 0] == kept


def test_the_wire_carries_it() -> None:
    """Under its own kind, with the defaults left out."""
    event = LinkObserved(service="default", link_id="link-1", observer="g", seen=(seen(Sight.USED, 1),))

    assert (event,) == decode(encode([event])).events
