"""The bus with a window: what passes is told in its order, and a broken broker confirms nothing."""

import asyncio

import pytest

from deploy.playground.bus import WatchedBus
from deploy.playground.lanes import Lane
from shared.bus.base import ALL_GATEWAYS, BusUnavailable, Delivery
from shared.bus.memory import MemoryBus
from shared.domain.link import LinkState
from shared.messages import LinkChanged, LinkRequested
from tests.play.onlooker import Onlooker

REQUESTED = LinkRequested(service="default", link_id="l", lifetime=600, household_id="Sonos_x")
CHANGED = LinkChanged(service="default", link_id="l", state=LinkState.REQUESTED)


async def test_what_passes_is_told_in_its_order() -> None:
    """A worker's rows are looked at before it tells of them, and again when it is done."""
    onlooker, came = Onlooker(), asyncio.Event()
    async with MemoryBus() as bus:
        gateway, worker = (WatchedBus(bus, lane, onlooker) for lane in (Lane.GATEWAY, Lane.AUTH_WORKER))

        async def handle(delivery: Delivery) -> None:
            await worker.answer("gateway-1", CHANGED)
            await delivery.ack()

        await gateway.listen("gateway-1", lambda _: came.set())
        await worker.consume("auth.link", handle, prefetch=1)
        await gateway.publish([REQUESTED])
        await asyncio.wait_for(came.wait(), 10)
        await worker.stop_consuming()

    assert [
        "looked at gateway's rows",
        "gateway > bus link.requested",
        "bus > auth_worker link.requested",
        "looked at auth_worker's rows",
        "auth_worker > bus link.changed",
        "looked at auth_worker's rows",
        "bus > gateway link.changed",
    ] == onlooker.seen


@pytest.mark.parametrize("act", ["publish", "answer", "retry", "bury"])
async def test_broken_broker_confirms_nothing(act: str) -> None:
    """Every way of handing something over fails, the bus behind it gets nothing, and all of it works when mended."""
    onlooker, heard = Onlooker(is_broken=True), []
    async with MemoryBus(delays=(0,)) as bus:
        watched = WatchedBus(bus, Lane.TOKEN_WORKER, onlooker)
        await bus.listen("gateway-1", heard.append)
        acts = {
            "publish": lambda: watched.publish([REQUESTED]),
            "answer": lambda: watched.answer(ALL_GATEWAYS, CHANGED),
            "retry": lambda: watched.retry("auth.link", REQUESTED, attempt=2),
            "bury": lambda: watched.bury("auth.link", b"not a message", reason="no reason"),
        }
        with pytest.raises(BusUnavailable):
            await acts[act]()
        broken = watched.is_connected()
        await asyncio.sleep(0)

        assert (False, [], []) == (broken, heard, await bus.dead_letters())

        onlooker.is_broken = False
        await acts[act]()

        assert watched.is_connected()
