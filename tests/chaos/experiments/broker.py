"""RabbitMQ killed, silent, deaf, out of memory, without its queues; and the cold start in the wrong order."""

import asyncio
import json
from pathlib import Path

import aio_pika
import asyncpg

from tests.chaos.cluster import BRIEF_CODES, Cluster
from tests.chaos.experiments.base import experiment
from tests.chaos.proxies import Fault


@experiment(
    1,
    "The broker is killed in the middle of traffic, and started four seconds later.",
    gate=True,
    down="RabbitMQ, killed",
)
async def broker_killed(cluster: Cluster) -> None:
    await asyncio.sleep(5)
    with cluster.fault():
        await asyncio.to_thread(cluster.rabbit.kill)
        await asyncio.sleep(4)
    await asyncio.to_thread(cluster.rabbit.start)


@experiment(
    2,
    "The network to the broker swallows everything for 60 seconds, connections stay open.",
    down="the network to RabbitMQ, silent",
)
async def broker_silent(cluster: Cluster) -> None:
    await asyncio.sleep(5)
    cluster.rabbit_cable.suffer(Fault.BLACK_HOLE)
    with cluster.fault():
        await asyncio.sleep(60)
    cluster.rabbit_cable.heal()


@experiment(3, "The broker takes messages, and its confirms are lost for ten seconds.", gate=True)
async def confirms_lost(cluster: Cluster) -> None:
    await asyncio.sleep(4)
    cluster.rabbit_cable.suffer(Fault.LOSE_ANSWERS)
    with cluster.fault():
        await asyncio.sleep(10)
    cluster.rabbit_cable.heal()


@experiment(
    4,
    "The broker is short of memory for 30 seconds, and reads from nobody who publishes.",
    down="RabbitMQ, out of memory",
)
async def broker_out_of_memory(cluster: Cluster) -> None:
    await asyncio.sleep(4)
    await _ctl(cluster, "set_vm_memory_high_watermark", "absolute", "1MB")
    with cluster.fault():
        await asyncio.sleep(30)
    await _ctl(cluster, "set_vm_memory_high_watermark", "0.4")


@experiment(
    5, "The binding of link.requested is gone for ten seconds: messages that nobody would receive.", gate=True
)
async def unroutable(cluster: Cluster) -> None:
    connection = await aio_pika.connect(cluster.rabbit.url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue("auth.link")
        await queue.unbind("latchkey", "link.requested")
        with cluster.fault():
            await asyncio.sleep(10)
        await queue.bind("latchkey", "link.requested")


@experiment(
    6,
    "The queue auth.link is deleted under its consumers; who had a link in it begins again when its time is over.",
    stage=BRIEF_CODES,
    begins_again=True,
)
async def queue_deleted(cluster: Cluster) -> None:
    await asyncio.sleep(5)
    with cluster.fault():
        await _ctl(cluster, "delete_queue", "auth.link")
        await asyncio.sleep(10)


@experiment(9, "Every connection to the broker is reset twice a second, for twenty seconds.")
async def broker_flaps(cluster: Cluster) -> None:
    await asyncio.sleep(3)
    with cluster.fault():
        for _ in range(40):
            cluster.rabbit_cable.reset()
            await asyncio.sleep(0.5)


POISON = (
    b"not json",
    json.dumps({"kind": "link.requested", "version": 999, "events": [{}]}).encode(),
    b'{"kind": "link.requested", "version": 1, "events": [{"service": "' + b"x" * 1_000_000,
    json.dumps({"kind": "link.requested", "version": 1, "events": [{"service": "default"}]}).encode(),
)


@experiment(
    7,
    "Messages that nobody can read, among good ones: no JSON, unknown version, huge, a field missing.",
    gate=True,
    buries=len(POISON),
)
async def poison(cluster: Cluster) -> None:
    await asyncio.sleep(2)
    connection = await aio_pika.connect(cluster.rabbit.url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("latchkey")
        for body in POISON:
            await exchange.publish(aio_pika.Message(body), routing_key="link.requested")
        await asyncio.sleep(8)


async def _lose_patience(cluster: Cluster) -> None:
    await _set_timeouts(cluster, consumer=1_000, tick=500)
    # Channels have the time-out that was set when they were opened.
    cluster.rabbit_cable.reset()
    await cluster.ready()


@experiment(
    8,
    "The broker takes a channel away after one second with a message in hand, and handlers wait for a lock for 15 seconds.",
    prepare=_lose_patience,
)
async def hostile_consumer_timeout(cluster: Cluster) -> None:
    marks = {log: log.stat().st_size for log in _logs(cluster)}
    await asyncio.sleep(3)
    connection = await asyncpg.connect(cluster.database_url.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE links IN ACCESS EXCLUSIVE MODE")
            with cluster.fault():
                await asyncio.sleep(15)
    finally:
        await connection.close()
    await asyncio.sleep(5)
    told = b"".join(log.read_bytes()[marks.get(log, 0) :] for log in _logs(cluster))
    taken = sum(any(words in line for words in OUT_OF_PATIENCE) for line in told.splitlines())
    cluster.ledger.facts.append(f"the broker ran out of patience {taken} times")
    if not taken:
        cluster.ledger.surprise("the broker never ran out of patience, so nothing was tested")
    await _set_timeouts(cluster, consumer=1_800_000, tick=60_000)
    cluster.rabbit_cable.reset()


OUT_OF_PATIENCE = (b"imeout value used", b"consumer cancelled by the broker")
"""What is logged when a consumer took too long: by RabbitMQ 3 and the first of 4.3; by our workers with the later ones, which cancel the
consumer and say no more."""


def _logs(cluster: Cluster) -> list[Path]:
    assert cluster.rabbit.logs is not None
    return sorted([*cluster.rabbit.logs.glob("*.log"), *cluster.system.folder.glob("*_worker*.log")])


async def _set_timeouts(cluster: Cluster, *, consumer: int, tick: int) -> None:
    """Set the broker's patience, and how often it looks at the clock, in milliseconds."""
    settings = {"consumer_timeout": consumer, "channel_tick_interval": tick}
    words = ", ".join(f"application:set_env(rabbit, {name}, {value})" for name, value in settings.items())
    await _ctl(cluster, "eval", f"{words}.")


@experiment(
    10,
    "Everything starts in the wrong order: our processes first, the broker later, the database last.",
    traffic=False,
)
async def cold_start(cluster: Cluster) -> None:
    for process in cluster.system.processes:
        process.kill()
    await asyncio.gather(asyncio.to_thread(cluster.rabbit.kill), asyncio.to_thread(cluster.postgres.kill))
    for index in range(len(cluster.system.processes)):
        cluster.system.processes[index] = cluster.restarted(index)
    await asyncio.sleep(8)
    await asyncio.to_thread(cluster.rabbit.start)
    await asyncio.sleep(8)
    cluster.system.expect_alive()
    await asyncio.to_thread(cluster.postgres.start)
    await cluster.ready()
    async with cluster.traffic(8):
        await asyncio.sleep(3)


@experiment(33, "The broker's disk is full for 20 seconds.", down="RabbitMQ, disk full")
async def broker_disk_full(cluster: Cluster) -> None:
    await asyncio.sleep(4)
    await _ctl(cluster, "set_disk_free_limit", "100000GB")
    with cluster.fault():
        await asyncio.sleep(20)
    await _ctl(cluster, "set_disk_free_limit", "50MB")


async def _ctl(cluster: Cluster, *arguments: str) -> None:
    await asyncio.to_thread(cluster.rabbit.rabbitmqctl, *arguments)
