"""The bus: every promise of its port, kept by both adapters."""

import asyncio

import pytest

from shared import wire
from shared.bus.base import ALL_GATEWAYS, RETRY_DELAYS, Bus, DeadLetter, Delivery, delay_before
from shared.domain.link import LinkState
from shared.messages import (
    EVENTS,
    QUEUES,
    Event,
    LinkApproved,
    LinkChanged,
    LinkRequested,
    TokenRefreshRequested,
    TokenSeen,
)
from tests.contract.conftest import NOW, PATIENCE

QUEUE = "auth.link"


class Hands:
    """A reader that keeps what it is given until told what to do with it."""

    def __init__(self) -> None:
        self.deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        self.settled: dict[int, asyncio.Event] = {}

    async def receive(self, delivery: Delivery) -> None:
        self.settled[id(delivery)] = asyncio.Event()
        await self.deliveries.put(delivery)
        await self.settled[id(delivery)].wait()

    async def take(self) -> Delivery:
        async with asyncio.timeout(PATIENCE):
            return await self.deliveries.get()

    def finish(self, delivery: Delivery) -> None:
        """Let the receiving function return."""
        self.settled[id(delivery)].set()

    async def ack(self, delivery: Delivery) -> None:
        await delivery.ack()
        self.finish(delivery)


def requested(number: int = 1) -> LinkRequested:
    return LinkRequested(service="default", link_id=f"link-{number}", lifetime=600, household_id="Sonos_x")


def changed(number: int = 1) -> LinkChanged:
    return LinkChanged(service="default", link_id=f"link-{number}", state=LinkState.LINKED)


def refresh_requested() -> TokenRefreshRequested:
    return TokenRefreshRequested(
        service="default", request_id="r", grant_id="g", family=1, generation=1, expires_at=0
    )


def ids(delivery: Delivery) -> list[str]:
    return [event.link_id for event in wire.decode(delivery.body).events if isinstance(event, LinkRequested)]


def shown(letter: DeadLetter) -> tuple[str, str, bytes, int | None]:
    return letter.queue, letter.reason, letter.body, letter.buried_at


async def test_message_reaches_the_queue_of_its_kind(bus: Bus) -> None:
    """Each kind of work comes out of its own queue, and of no other."""
    hands = {queue: Hands() for queue in set(QUEUES.values())}
    for queue, reader in hands.items():
        await bus.consume(queue, reader.receive, prefetch=10)
    await bus.publish([requested()])
    await bus.publish([LinkApproved(service="default", link_id="link", browser="b")])
    await bus.publish([TokenSeen(service="default", grant_id="g", family=1, generation=1)])
    kinds = {}
    for queue in ("auth.link", "token.mint", "token.refresh"):
        delivery = await hands[queue].take()
        kinds[queue] = wire.decode(delivery.body).kind
        await hands[queue].ack(delivery)

    assert {
        "auth.link": "link.requested",
        "token.mint": "link.approved",
        "token.refresh": "token.seen",
    } == kinds
    assert hands["auth.login"].deliveries.empty()


async def test_events_of_one_message_stay_together(bus: Bus) -> None:
    """One broker message carries many events, in their order."""
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    await bus.publish([requested(number) for number in range(50)])
    delivery = await hands.take()

    assert [f"link-{number}" for number in range(50)] == ids(delivery)
    await hands.ack(delivery)


async def test_message_waits_for_its_reader(bus: Bus) -> None:
    """What was published before anybody reads is not lost."""
    await bus.publish([requested()])
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    delivery = await hands.take()

    assert ["link-1"] == ids(delivery)
    await hands.ack(delivery)


async def test_reader_gets_no_more_than_it_can_hold(bus: Bus) -> None:
    """The third message comes when one of two has been finished."""
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=2)
    for number in range(3):
        await bus.publish([requested(number)])
    first, second = await hands.take(), await hands.take()
    held_back = hands.deliveries.empty()
    await hands.ack(first)
    third = await hands.take()

    assert held_back
    assert ["link-0", "link-1", "link-2"] == ids(first) + ids(second) + ids(third)
    await hands.ack(second)
    await hands.ack(third)


async def test_two_readers_share_a_queue(bus: Bus) -> None:
    """Each message goes to one of them."""
    readers = [Hands(), Hands()]
    for reader in readers:
        await bus.consume(QUEUE, reader.receive, prefetch=1)
    for number in range(2):
        await bus.publish([requested(number)])
    deliveries = [await reader.take() for reader in readers]

    assert {"link-0", "link-1"} == {name for delivery in deliveries for name in ids(delivery)}
    for reader, delivery in zip(readers, deliveries, strict=True):
        await reader.ack(delivery)


async def test_released_message_comes_again(bus: Bus) -> None:
    """What is handed back unstarted is delivered once more."""
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    await bus.publish([requested()])
    first = await hands.take()
    await first.release()
    hands.finish(first)
    second = await hands.take()

    assert ids(first) == ids(second)
    await hands.ack(second)


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "says nothing"])
async def test_message_comes_again_when_its_reader_did_not_settle_it(bus: Bus, fails: bool) -> None:
    """A reader that fails, or forgets the message, does not keep it, and that is counted."""
    seen: asyncio.Queue[int] = asyncio.Queue()

    async def receive(delivery: Delivery) -> None:
        await seen.put(delivery.redeliveries)
        if delivery.redeliveries:
            await delivery.ack()
        elif fails:
            raise RuntimeError

    await bus.consume(QUEUE, receive, prefetch=1)
    await bus.publish([requested()])
    async with asyncio.timeout(PATIENCE):
        counts = [await seen.get(), await seen.get()]

    assert [0, 1] == counts


async def test_message_that_nobody_waits_for_is_forgotten(bus: Bus) -> None:
    """A refresh that is older than its gateway's patience is not handed out; what else is in its queue is."""
    hands = Hands()
    await bus.publish([refresh_requested()])
    await bus.retry(QUEUE, requested(), attempt=3)
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    await hands.ack(await hands.take())
    await bus.publish([TokenSeen(service="default", grant_id="g", family=1, generation=1)])
    await bus.consume("token.refresh", hands.receive, prefetch=1)
    delivery = await hands.take()

    assert "token.seen" == wire.decode(delivery.body).kind
    await hands.ack(delivery)


async def test_retried_event_comes_back_with_its_attempt(bus: Bus) -> None:
    """After its delay, to the same queue, alone."""
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    await bus.retry(QUEUE, requested(), attempt=2)
    delivery = await hands.take()

    assert (["link-1"], 2) == (ids(delivery), wire.decode(delivery.body).attempt)
    await hands.ack(delivery)


async def test_later_attempts_wait_longer(bus: Bus) -> None:
    """A third attempt that was asked for first comes after a second one."""
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    await bus.retry(QUEUE, requested(3), attempt=3)
    await bus.retry(QUEUE, requested(2), attempt=2)
    order = []
    for _ in range(2):
        delivery = await hands.take()
        order += ids(delivery)
        await hands.ack(delivery)

    assert ["link-2", "link-3"] == order


async def test_buried_message_keeps_its_queue_and_reason(bus: Bus) -> None:
    """Dead letters can be looked at as often as one likes, and stay."""
    await bus.bury(QUEUE, b"not ours", reason="because")
    letters = [await bus.dead_letters() for _ in range(2)]

    assert [[(QUEUE, "because", b"not ours", NOW)]] * 2 == [list(map(shown, each)) for each in letters]


async def test_dead_letters_are_many_and_in_order(bus: Bus) -> None:
    """The oldest come first, and no more than asked for."""
    for number in range(5):
        await bus.bury(QUEUE, b"%d" % number, reason="because")
    letters = await bus.dead_letters(limit=3)

    assert [b"0", b"1", b"2"] == [letter.body for letter in letters]


async def test_replayed_letter_is_as_new(bus: Bus) -> None:
    """It comes out of the queue it came from as its first attempt, and is a dead letter no more; others stay."""
    for number in range(3):
        body = wire.encode([requested(number)], attempt=8)
        await bus.bury(QUEUE, body, reason="because")
    chosen = (await bus.dead_letters())[1]
    counts = [await bus.replay([chosen.letter_id, "no such letter"]) for _ in range(2)]
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=10)
    delivery = await hands.take()

    assert [1, 0] == counts
    assert (["link-1"], 1) == (ids(delivery), wire.decode(delivery.body).attempt)
    assert ["link-0", "link-2"] == [
        event.link_id
        for letter in await bus.dead_letters()
        for event in wire.decode(letter.body).events
        if isinstance(event, LinkRequested)
    ]
    assert hands.deliveries.empty()
    await hands.ack(delivery)


async def test_replayed_letter_that_is_buried_again_is_another(bus: Bus) -> None:
    """What a reader of today does not understand keeps its bytes, and its new letter a name of its own."""
    await bus.bury(QUEUE, b"not ours", reason="because")
    (before,) = await bus.dead_letters()
    await bus.replay([before.letter_id])
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    delivery = await hands.take()
    await bus.bury(QUEUE, delivery.body, reason="again")
    await hands.ack(delivery)
    (after,) = await bus.dead_letters()

    assert (QUEUE, "again", b"not ours", NOW) == shown(after)
    assert before.letter_id != after.letter_id
    assert 0 == await bus.replay([before.letter_id])


async def test_result_reaches_the_gateway_that_asked(bus: Bus) -> None:
    """One gateway or all of them, and nobody else; several at once in their order."""
    received: dict[str, list[Event]] = {"one": [], "two": []}
    for gateway, events in received.items():
        await bus.listen(gateway, events.append)
    await bus.answer("one", changed(1), changed(2))
    await bus.answer(ALL_GATEWAYS, changed(3))
    async with asyncio.timeout(PATIENCE):
        while len(received["one"]) < 3 or not received["two"]:
            await asyncio.sleep(0.01)

    assert {"one": [changed(1), changed(2), changed(3)], "two": [changed(3)]} == received


async def test_result_for_nobody_is_no_error(bus: Bus) -> None:
    """The gateway that asked may be gone."""
    await bus.answer("nobody", changed())

    assert bus.is_connected()


async def test_nothing_new_after_stopping(bus: Bus) -> None:
    """What is in hand stays and can be acknowledged; what comes later waits for somebody else."""
    hands, others = Hands(), Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    await bus.publish([requested(1)])
    delivery = await hands.take()
    await bus.stop_consuming()
    await bus.publish([requested(2)])
    await hands.ack(delivery)
    await bus.consume(QUEUE, others.receive, prefetch=1)
    later = await others.take()

    assert ["link-2"] == ids(later)
    assert hands.deliveries.empty()
    await others.ack(later)


@pytest.mark.parametrize(("attempt", "delay"), [(2, 1), (3, 5), (4, 30), (5, 120), (8, 120)])
def test_delays_grow_and_stay(attempt: int, delay: float) -> None:
    """The last delay repeats."""
    assert delay == delay_before(attempt, RETRY_DELAYS)


def test_every_kind_of_work_has_a_queue() -> None:
    """What is not a result is work."""
    assert {kind.kind for kind in QUEUES} < set(EVENTS)


async def test_no_trouble_while_messages_arrive(bus: Bus) -> None:
    """Neither an idle reader nor one with its hands full is one that gets nothing."""
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    idle = await bus.trouble()
    await bus.publish([requested(1)])
    await bus.publish([requested(2)])
    first = await hands.take()
    busy = await bus.trouble()
    for delivery in (first, None):
        await hands.ack(delivery or await hands.take())

    assert [None, None] == [idle, busy]
