"""RabbitMQ itself in trouble: restarted, cut off, emptied of its queues, or not there yet."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count

import aio_pika
import pytest
import structlog

from shared import health, wire, worker
from shared.bus import dialing, flow, inspection, line, publishing
from shared.bus.base import Bus, BusUnavailable
from shared.bus.rabbit import RabbitBus, open_rabbit
from shared.domain.link import LinkState
from shared.messages import WORK, Event, LinkChanged, LinkRequested, TokenSeen
from shared.metrics import Metrics
from shared.settling import Retry
from tests.contract.conftest import PATIENCE, connected, opened
from tests.contract.test_bus import QUEUE, Hands, ids, requested
from tests.contract.test_worker import Context, working
from tests.relay import relaying
from tests.services.rabbit import RabbitServer

MORE_THAN_THE_SYSTEM_KEEPS = 1 << 26
"""Bytes, for a connection on which the other side takes none."""


@pytest.fixture
async def own_bus(own_rabbit: RabbitServer) -> AsyncIterator[Bus]:
    """A bus on a broker that the test may stop."""
    async with opened(own_rabbit.url) as bus:
        yield bus


async def test_restart_loses_nothing_that_was_confirmed(own_rabbit: RabbitServer, own_bus: Bus) -> None:
    """Messages in the queue and in another's hands are there again, and readers and results go on by themselves."""
    hands, results = Hands(), asyncio.Queue[Event]()
    await own_bus.listen("gateway", results.put_nowait)
    await own_bus.consume(QUEUE, hands.receive, prefetch=1)
    for number in range(3):
        await own_bus.publish([requested(number)])
    in_hand = await hands.take()
    await asyncio.to_thread(own_rabbit.stop)
    await connected(own_bus, expected=False)
    with pytest.raises(BusUnavailable):
        await own_bus.publish([requested(9)])
    await hands.ack(in_hand)
    await asyncio.to_thread(own_rabbit.start)
    await connected(own_bus)
    again = []
    for _ in range(3):
        delivery = await hands.take()
        again += ids(delivery)
        await hands.ack(delivery)
    await own_bus.answer("gateway", LinkChanged(service="s", link_id="link", state=LinkState.LINKED))
    async with asyncio.timeout(PATIENCE):
        result = await results.get()

    assert ["link-0", "link-1", "link-2"] == sorted(again)
    assert isinstance(result, LinkChanged)


async def test_restart_keeps_what_waits_for_its_retry(own_rabbit: RabbitServer) -> None:
    """An event in a retry queue comes back after its delay, restart or not."""
    async with opened(own_rabbit.url, delays=(2.0,)) as bus:
        hands = Hands()
        await bus.retry(QUEUE, requested(), attempt=2)
        await asyncio.to_thread(own_rabbit.stop)
        await asyncio.to_thread(own_rabbit.start)
        await connected(bus)
        await bus.consume(QUEUE, hands.receive, prefetch=1)
        delivery = await hands.take()
        await hands.ack(delivery)

    assert 2 == wire.decode(delivery.body).attempt


async def test_lost_connection_does_not_cancel_a_handler(rabbit_url: str) -> None:
    """The reader comes to its end, its acknowledgement is in vain, and the message comes again, as one that nobody died of."""
    async with opened(rabbit_url) as bus:
        assert isinstance(bus, RabbitBus)
        hands = Hands()
        await bus.consume(QUEUE, hands.receive, prefetch=1)
        await bus.publish([requested()])
        first = await hands.take()
        bus._consuming.lose()
        second = await hands.take()
        await hands.ack(first)
        await hands.ack(second)

    assert (ids(first), 0) == (ids(second), second.redeliveries)


async def test_message_that_is_lost_in_a_failing_hand_leaves_no_copy(rabbit_url: str) -> None:
    """It comes again by itself; were it put aside for later as well, there would be two, and of each the next time."""
    times, done = count(1), asyncio.Event()
    async with opened(rabbit_url) as bus, asyncio.timeout(PATIENCE):
        assert isinstance(bus, RabbitBus)

        async def handle(event: LinkRequested, context: Context) -> None:
            if next(times) == 3:
                done.set()
                return
            bus._consuming.lose()
            raise Retry

        async with working(bus, handle):
            await bus.publish([requested()])
            await done.wait()
        facts = await inspection.inspect(rabbit_url, prefix="latchkey")

    left = {name: queue.messages for name, queue in facts.queues.items() if queue.messages}
    assert (4, {}) == (next(times), left)


async def test_deaths_are_told_from_lost_connections(rabbit_url: str) -> None:
    """However often a connection is lost: what counts is how often a reader failed, here or elsewhere."""
    hands, counted, late = Hands(), [], []
    async with opened(rabbit_url) as bus:
        assert isinstance(bus, RabbitBus)
        await bus.consume(QUEUE, hands.receive, prefetch=1)
        await bus.publish([requested()])
        for ending in ("lost", "failed", "lost", "failed"):
            delivery = await hands.take()
            counted.append(delivery.redeliveries)
            if ending == "lost":
                bus._consuming.lose()
                late.append(delivery)
            else:
                hands.finish(delivery)
        last = await hands.take()
        counted.append(last.redeliveries)
        await hands.ack(last)
        for delivery in late:
            await hands.ack(delivery)

    assert [0, 0, 1, 1, 2] == counted


async def test_message_in_hand_comes_again_when_its_bus_closes(rabbit_url: str) -> None:
    """A reader that is still at it is ended with its bus, and somebody else gets the message."""
    async with opened(rabbit_url) as bus:
        hands, others = Hands(), Hands()
        async with opened(rabbit_url) as closing:
            await closing.consume(QUEUE, hands.receive, prefetch=1)
            await bus.publish([requested()])
            await hands.take()
        await bus.consume(QUEUE, others.receive, prefetch=1)
        delivery = await others.take()
        await others.ack(delivery)

    assert (["link-1"], 1) == (ids(delivery), delivery.redeliveries)


async def test_results_come_again_before_the_broker_knows_of_the_loss(rabbit_url: str) -> None:
    """The broker still believes in the old connection, and keeps its exclusive queue locked: the new one has its own."""
    results = asyncio.Queue[Event]()
    async with relaying(rabbit_url) as relay, opened(relay.url) as bus:
        assert isinstance(bus, RabbitBus)
        await bus.listen("gateway", results.put_nowait)
        relay.fall_silent()
        for line in bus.lines:
            line.lose()
        await connected(bus, expected=False)
        async with asyncio.timeout(10):
            await connected(bus)
        await bus.answer("gateway", LinkChanged(service="s", link_id="link", state=LinkState.LINKED))
        async with asyncio.timeout(PATIENCE):
            result = await results.get()

    assert isinstance(result, LinkChanged)


async def test_silent_connection_is_given_up(rabbit_url: str) -> None:
    """Publishing on it fails, and never as if the publisher had been cancelled; then there is another."""
    async with relaying(rabbit_url) as relay, opened(f"{relay.url}?heartbeat=1") as bus:
        relay.fall_silent()
        errors = []
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as publishers:
            while bus.is_connected():
                publishers.create_task(_publish(bus, errors))
                await asyncio.sleep(0.1)
        await connected(bus)
        await bus.publish([requested()])

    assert {BusUnavailable} == set(map(type, errors))


async def test_goodbye_to_a_silent_broker_ends(rabbit_url: str) -> None:
    """A process that is to end does not wait for an answer that never comes."""
    async with asyncio.timeout(PATIENCE), relaying(rabbit_url) as relay, opened(relay.url) as bus:
        relay.fall_silent()

    assert not bus.is_connected()


async def test_goodbye_to_a_broker_that_takes_nothing_ends(
    rabbit_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is to end does not wait for a broker to take what was meant for it, however alive that one is."""
    monkeypatch.setattr(dialing, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(publishing, "PUBLISH_SECONDS", 0.1)
    async with relaying(rabbit_url) as relay, asyncio.timeout(PATIENCE), opened(relay.url) as bus:
        relay.go_deaf()
        with pytest.raises(BusUnavailable):
            await bus.bury(QUEUE, bytes(MORE_THAN_THE_SYSTEM_KEEPS), reason="large")

    assert not bus.is_connected()


async def test_line_ends_although_its_cancellation_is_lost(rabbit_url: str) -> None:
    """A process that is to end while its line is being made does not go on holding it."""
    begun = asyncio.Event()

    async def prepare(_: line.Line) -> None:
        begun.set()
        # As the driver does now and then, when what it waits for comes at that moment.
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    held = line.Line(rabbit_url, name="test", prepare=prepare)
    holding = asyncio.create_task(held.hold())
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        held.end()
        holding.cancel()
        await asyncio.wait([holding])

    assert not held.is_up


async def test_broker_that_is_slow_is_no_broker_that_is_gone(
    rabbit_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer late, all of them together far later than a connection may take: the line comes up all the same."""
    patience = 1
    monkeypatch.setattr(line, "_CONNECT_SECONDS", patience)
    async with relaying(rabbit_url) as relay:
        relay.delay = 0.04
        async with opened(relay.url) as bus:
            await bus.publish([requested()])

    assert relay.requests * relay.delay > patience


async def _publish(bus: Bus, errors: list[BaseException]) -> None:
    try:
        await bus.publish([requested()])
    except BaseException as error:  # noqa: BLE001 - the test is about which it is
        errors.append(error)


async def test_broker_short_of_memory_costs_time_and_nothing_else(own_rabbit: RabbitServer) -> None:
    """It takes no message, yet hands some out: what follows from them waits, and they are not blamed."""
    async with opened(own_rabbit.url) as bus:
        again: asyncio.Queue[int] = asyncio.Queue()

        async def handle(_: LinkRequested, __: Context) -> None:
            again.put_nowait(1)
            if again.qsize() == 1:
                raise Retry

        await bus.publish([requested()])
        await asyncio.to_thread(own_rabbit.rabbitmqctl, "set_vm_memory_high_watermark", "absolute", "1MB")
        async with asyncio.timeout(PATIENCE):
            while not await _refuses(bus):
                pass
        looked_at = await inspection.inspect(own_rabbit.url, prefix="latchkey")
        stop = asyncio.Event()
        working = asyncio.create_task(worker.run({LinkRequested: handle}, Context(bus), stop=stop))
        async with asyncio.timeout(PATIENCE):
            while again.empty():
                await asyncio.sleep(0.01)
            for _ in range(2):
                assert await _refuses(bus)
        runs_meanwhile = again.qsize()
        await asyncio.to_thread(own_rabbit.rabbitmqctl, "set_vm_memory_high_watermark", "absolute", "1GB")
        async with asyncio.timeout(PATIENCE):
            while again.qsize() < 2:
                await asyncio.sleep(0.01)
        stop.set()
        await working

    assert 1 == runs_meanwhile
    assert not looked_at.takes_messages


async def _refuses(bus: Bus) -> bool:
    try:
        await bus.publish([TokenSeen(service="s", grant_id="g", family=1, generation=1)])
    except BusUnavailable:
        return True
    return False


async def test_message_without_a_queue_is_not_taken_for_sent(rabbit_url: str) -> None:
    """Unroutable is an error, not a success."""
    async with opened(rabbit_url) as bus, await aio_pika.connect(rabbit_url) as connection:
        await (await connection.channel()).queue_delete(QUEUE)
        with pytest.raises(BusUnavailable, match="PublishError"):
            await bus.publish([requested()])


async def test_reader_of_a_deleted_queue_notices(rabbit_url: str) -> None:
    """The queue is declared again and read again, though the connection had been fine all the time."""
    async with opened(rabbit_url) as bus, await aio_pika.connect(rabbit_url) as connection:
        hands = Hands()
        await bus.consume(QUEUE, hands.receive, prefetch=1)
        await (await connection.channel()).queue_delete(QUEUE)
        await connected(bus, expected=False)
        await connected(bus)
        await bus.publish([requested()])
        delivery = await hands.take()
        await hands.ack(delivery)

    assert ["link-1"] == ids(delivery)


async def test_lost_lines_say_why(rabbit_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broker did is told from what the network did."""
    monkeypatch.setattr(line, "log", logger := structlog.testing.CapturingLogger())
    async with relaying(rabbit_url) as relay, opened(relay.url) as bus:
        await bus.consume(QUEUE, Hands().receive, prefetch=1)
        async with await aio_pika.connect(rabbit_url) as connection:
            await (await connection.channel()).queue_delete(QUEUE)
        await connected(bus, expected=False)
        await connected(bus)
        await relay.cut()
        await connected(bus, expected=False)
        await connected(bus)

    reasons = {call.kwargs["reason"] for call in logger.calls if call.args == ("broker away",)}
    assert {"consumer cancelled by the broker", "connection lost"} == reasons


async def test_bus_opens_before_its_broker(own_rabbit: RabbitServer) -> None:
    """Started in the wrong order, everything finds its place when the broker is there."""
    await asyncio.to_thread(own_rabbit.stop)
    from shared.bus.rabbit import open_rabbit

    async with open_rabbit(own_rabbit.url) as bus:
        hands = Hands()
        await bus.consume(QUEUE, hands.receive, prefetch=1)
        with pytest.raises(BusUnavailable):
            await bus.publish([requested()])
        await asyncio.to_thread(own_rabbit.start)
        await connected(bus)
        await bus.publish([requested()])
        delivery = await hands.take()
        await hands.ack(delivery)

    assert ["link-1"] == ids(delivery)


async def test_silent_broker_is_a_clear_error() -> None:
    """A port that takes connections and says nothing is as good as none."""
    from shared.bus.rabbit import open_rabbit

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}"
        async with open_rabbit(url) as bus:
            with pytest.raises(BusUnavailable):
                await bus.publish([LinkRequested(service="s", link_id="l", lifetime=1, household_id="h")])
            connected_now = bus.is_connected()

    assert not connected_now


async def test_reader_that_gets_nothing_is_noticed(rabbit_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that looks fine, a queue that is not empty, and no consumer on it any more."""
    monkeypatch.setattr(flow, "STARVED_SECONDS", 0)
    async with opened(rabbit_url) as bus:
        assert isinstance(bus, RabbitBus)
        hands = Hands()
        await bus.consume(QUEUE, hands.receive, prefetch=1)
        (consumer,) = bus._consumers
        await bus._displace(consumer)
        before = await bus.trouble()
        await bus.publish([requested()])
        after = await bus.trouble()

    assert [None, f"nothing arrives from {QUEUE}"] == [before, after]


async def test_silent_broker_is_noticed(rabbit_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before its heartbeats are missed."""
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.2)
    async with relaying(rabbit_url) as relay, opened(relay.url) as bus:
        await bus.consume(QUEUE, Hands().receive, prefetch=1)
        relay.fall_silent()
        assert await health.remembered(bus.trouble)() is not None
        assert bus.is_connected()


async def test_queue_of_somebody_else_gets_a_copy(rabbit_url: str) -> None:
    """Bound to the exchange as docs/webhooks.md says: what it gets is JSON, and the service's own queue misses nothing."""
    hands = Hands()
    async with opened(rabbit_url) as bus, await aio_pika.connect(rabbit_url) as connection:
        await bus.consume(QUEUE, hands.receive, prefetch=1)
        channel = await connection.channel()
        arguments = {"x-queue-type": "quorum", "x-max-length": 100_000}
        queue = await channel.declare_queue("analytics", durable=True, arguments=arguments)
        await queue.bind("latchkey", routing_key="link.*")
        await bus.publish([requested(1)])
        own = await hands.take()
        await hands.ack(own)
        async with asyncio.timeout(PATIENCE):
            while (copy := await queue.get(no_ack=True, fail=False)) is None:
                await asyncio.sleep(0.01)
    told = json.loads(copy.body)

    assert ["link-1"] == ids(own) == [event["link_id"] for event in told["events"]]
    assert ("link.requested", 1) == (told["kind"], told["v"])


async def test_what_becomes_of_messages_is_counted(rabbit_url: str) -> None:
    """Confirmed, given back since no queue takes it, and not even sent; and what waits is asked for when somebody wants to know."""
    metrics = Metrics()
    async with open_rabbit(rabbit_url, metrics=metrics) as bus:
        await connected(bus)
        await bus.publish([requested()])
        channel = await bus._consuming.errand()
        await channel.queue_delete(QUEUE)
        with pytest.raises(BusUnavailable):
            await bus.publish([requested()])
        await bus.consume("auth.login", Hands().receive, prefetch=1)
        await bus.bury(QUEUE, b"letter", reason="a test")
        await metrics.look()
        bus._publishing.line.lose()
        await connected(bus, expected=False)
        with pytest.raises(BusUnavailable):
            await bus.retry(QUEUE, requested(), attempt=2)

    counted = {labels: sum(tally.counts) for labels, tally in metrics.publishes.tallies.items()}
    happened = {("work", "ok"): 1, ("work", "returned"): 1, ("dead", "ok"): 1, ("retry", "away"): 1}
    # An alert waits for the first that is returned, and sees it if the series was there before.
    not_yet = {(to, "returned"): 0 for to in ("results", "dead", "replay", "retry")}
    assert happened | not_yet == counted
    assert ({(): 1}, {("auth.login",): 0, ("dead",): 1}) == (metrics.broker.values, metrics.waiting.values)


async def test_whoever_reads_no_queue_tells_of_all(rabbit_url: str) -> None:
    """As gateways do, for the operator page; what cannot be asked is not told."""
    metrics = Metrics()
    async with open_rabbit(rabbit_url, metrics=metrics) as bus:
        await connected(bus)
        await bus.publish([requested(1)])
        await metrics.look()
        told = {queue: count for (queue,), count in metrics.waiting.values.items()}

    assert {*WORK, "dead"} == set(told)
    assert {QUEUE: 1} == {queue: count for queue, count in told.items() if count}
