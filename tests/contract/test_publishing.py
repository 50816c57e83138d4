"""Events sent alone and events gathered: the same promises to whoever hands them over."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from shared.bus.base import BusUnavailable
from shared.bus.gathering import Gathering

Put = Callable[[str, Sequence[bytes]], Awaitable[None]]


class Broker:
    """Confirms when told to, and remembers what it was sent."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[bytes]]] = []
        self.confirms: list[asyncio.Future[None]] = []

    async def send(self, target: str, events: Sequence[bytes]) -> None:
        """Wait for the test's confirm."""
        self.messages.append((target, list(events)))
        self.confirms.append(asyncio.get_running_loop().create_future())
        await self.confirms[-1]

    async def confirm_all(self) -> None:
        """Confirm whatever comes until nothing comes any more."""
        idle = 0
        while idle < 3:
            idle += 1
            for confirm in self.confirms:
                if not confirm.done():
                    confirm.set_result(None)
                    idle = 0
            await settle()

    def events(self, target: str) -> list[bytes]:
        """Return what a destination got, in order."""
        return [event for to, events in self.messages if to == target for event in events]


async def settle() -> None:
    """Let every task come to where it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def broker() -> Broker:
    """A broker that confirms when told to."""
    return Broker()


@pytest.fixture(params=["alone", "gathered"])
def put(request: pytest.FixtureRequest, broker: Broker) -> Put:
    """Either way of handing events over."""
    return broker.send if request.param == "alone" else Gathering(broker.send, most=3, waiting=6).put


def tasks(put: Put, *events: bytes, target: str = "t") -> list["asyncio.Task[None]"]:
    """Hand events over at the same time."""
    return [asyncio.ensure_future(put(target, [event])) for event in events]


async def test_who_comes_alone_leaves_at_once(put: Put, broker: Broker) -> None:
    """Nobody waits for company."""
    (task,) = tasks(put, b"1")
    await settle()
    assert [("t", [b"1"])] == broker.messages

    await broker.confirm_all()
    await task


async def test_order_is_kept(put: Put, broker: Broker) -> None:
    """What is handed over first arrives first, at each destination; nothing is lost or doubled."""
    handed = tasks(put, b"1", b"2", b"3", b"4", b"5", b"6") + tasks(put, b"7", b"8", target="u")
    await settle()
    await broker.confirm_all()
    await asyncio.gather(*handed)

    assert [b"1", b"2", b"3", b"4", b"5", b"6"] == broker.events("t")
    assert [b"7", b"8"] == broker.events("u")


async def test_return_means_confirmed(put: Put, broker: Broker) -> None:
    """Nobody is told that their event was taken before its own message was confirmed."""
    handed = tasks(put, b"1")
    await settle()
    handed += tasks(put, b"2", b"3")
    await settle()
    assert not any(task.done() for task in handed)
    broker.confirms[0].set_result(None)
    await settle()
    assert [True, False, False] == [task.done() for task in handed]

    await broker.confirm_all()
    await asyncio.gather(*handed)


async def test_caller_that_goes_away_takes_nobody_along(put: Put, broker: Broker) -> None:
    """The others' events are sent and confirmed."""
    handed = tasks(put, b"1", b"2", b"3")
    await settle()
    handed[1].cancel()
    await broker.confirm_all()
    outcomes = await asyncio.gather(*handed, return_exceptions=True)

    assert [type(None), asyncio.CancelledError, type(None)] == [type(each) for each in outcomes]
    assert {b"1", b"3"} <= set(broker.events("t"))


async def test_lost_connection_is_told_to_all_aboard(put: Put, broker: Broker) -> None:
    """Everybody whose message was not confirmed hears it, and those who come afterwards are sent again."""
    handed = tasks(put, b"1", b"2")
    await settle()
    while any(not task.done() for task in handed):
        for confirm in broker.confirms:
            if not confirm.done():
                confirm.set_exception(BusUnavailable("the connection was lost"))
        await settle()
    outcomes = await asyncio.gather(*handed, return_exceptions=True)
    (later,) = tasks(put, b"3")
    await settle()
    await broker.confirm_all()
    await later

    assert [BusUnavailable] * 2 == [type(each) for each in outcomes]
    assert b"3" == broker.events("t")[-1]


async def test_gathered_events_go_as_few_messages(broker: Broker) -> None:
    """What comes in one turn, or while a confirm is under way, goes together, no more than fit into one message."""
    gathering = Gathering(broker.send, most=3)
    handed = tasks(gathering.put, b"1", b"2")
    await settle()
    handed += tasks(gathering.put, b"3", b"4", b"5", b"6")
    await settle()
    await broker.confirm_all()
    await asyncio.gather(*handed)

    assert [[b"1", b"2"], [b"3", b"4", b"5"], [b"6"]] == [events for _, events in broker.messages]


async def test_messages_of_a_destination_go_one_at_a_time(broker: Broker) -> None:
    """The next leaves when the one before is confirmed, with all that has come meanwhile."""
    gathering = Gathering(broker.send)
    handed = tasks(gathering.put, b"1")
    await settle()
    for event in (b"2", b"3"):
        handed += tasks(gathering.put, event)
        await settle()
    under_way = list(broker.messages)
    await broker.confirm_all()
    await asyncio.gather(*handed)

    assert [("t", [b"1"])] == under_way
    assert [[b"1"], [b"2", b"3"]] == [events for _, events in broker.messages]


async def test_destinations_do_not_wait_for_each_other(broker: Broker) -> None:
    """One that is not confirmed holds up nobody else."""
    gathering = Gathering(broker.send)
    first, second = tasks(gathering.put, b"1") + tasks(gathering.put, b"2", target="u")
    await settle()
    broker.confirms[1].set_result(None)
    await second
    assert not first.done()

    await broker.confirm_all()
    await first


async def test_too_many_are_refused_at_once(broker: Broker) -> None:
    """Who comes when the line is full does not wait in it, and those in it are not harmed."""
    gathering = Gathering(broker.send, most=3, waiting=2)
    handed = tasks(gathering.put, b"1")
    await settle()
    handed += tasks(gathering.put, b"2", b"3")
    await settle()
    with pytest.raises(BusUnavailable, match="too many"):
        await gathering.put("t", [b"4"])
    await broker.confirm_all()
    await asyncio.gather(*handed)

    assert [b"1", b"2", b"3"] == broker.events("t")


async def test_large_events_go_in_messages_of_their_own(broker: Broker) -> None:
    """A message stays far below what a reader takes."""
    gathering = Gathering(broker.send)
    large = b"x" * 200_000
    handed = tasks(gathering.put, b"1", large, large)
    await settle()
    await broker.confirm_all()
    await asyncio.gather(*handed)

    assert [[b"1", large], [large]] == [events for _, events in broker.messages]


async def test_closing_tells_who_waits(broker: Broker) -> None:
    """Nobody is left waiting for a confirm that cannot come."""
    gathering = Gathering(broker.send)
    handed = tasks(gathering.put, b"1", b"2")
    await settle()
    await gathering.close()
    outcomes = await asyncio.gather(*handed, return_exceptions=True)

    assert [BusUnavailable] * 2 == [type(each) for each in outcomes]
