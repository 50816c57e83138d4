"""RabbitMQ itself in trouble: restarted, cut off, emptied of its queues, or not there yet."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aio_pika
import pytest

from shared import wire
from shared.bus.base import Bus, BusUnavailable
from shared.bus.rabbit import RabbitBus
from shared.domain.link import LinkState
from shared.messages import Event, LinkChanged, LinkRequested
from tests.contract.conftest import PATIENCE, connected, opened
from tests.contract.test_bus import QUEUE, Hands, ids, requested
from tests.services.rabbit import RabbitServer


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
    """The reader comes to its end, its acknowledgement is in vain, and the message comes again."""
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

    assert (ids(first), 1) == (ids(second), second.redeliveries)


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
