"""Our own processes killed without end, stopped in good order, paused, scaled to nothing and back."""

import asyncio
import random
import signal

from tests.chaos.cluster import SERVICES, Cluster
from tests.chaos.experiments.base import experiment

KILL_SECONDS = 30
KILL_EVERY = 1.5
SEED = 20_261_124
STOP_SECONDS = 45
"""What the examples of deployment give a process to end."""


@experiment(18, "Gateways and workers are killed one after the other, for thirty seconds.", gate=True)
async def kill_loop(cluster: Cluster) -> None:
    order = random.Random(SEED)
    kills = 0
    with cluster.fault():
        for _ in range(int(KILL_SECONDS / KILL_EVERY)):
            cluster.kill(order.randrange(len(SERVICES)))
            kills += 1
            await asyncio.sleep(KILL_EVERY)
    cluster.ledger.facts.append(f"{kills} processes were killed")


@experiment(
    20, "Every process is asked to stop in the middle of traffic, one kind after the other.", gate=True
)
async def drained(cluster: Cluster) -> None:
    await asyncio.sleep(3)
    for index in range(len(SERVICES)):
        process = cluster.system.processes[index]
        process.popen.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(process.popen.wait, STOP_SECONDS)
        if status != 0:
            cluster.ledger.surprise(f"{process.name} ended with {status} when asked to stop")
        cluster.system.processes[index] = cluster.restarted(index)
        await asyncio.sleep(1)


@experiment(
    21, "auth_workers are scaled to none and back to four while people sign in.", down="every auth_worker"
)
async def scaled_to_none(cluster: Cluster) -> None:
    await asyncio.sleep(2)
    with cluster.fault():
        await _away(cluster, "auth_worker", seconds=8)


@experiment(31, "No token_worker for eight seconds.", down="every token_worker")
async def no_token_worker(cluster: Cluster) -> None:
    await asyncio.sleep(4)
    with cluster.fault():
        await _away(cluster, "token_worker", seconds=8)


@experiment(32, "One gateway of two is gone for eight seconds.", down="one gateway of two")
async def one_gateway_gone(cluster: Cluster) -> None:
    await asyncio.sleep(4)
    cluster.system.processes[0].kill()
    with cluster.fault():
        await asyncio.sleep(8)
    cluster.system.processes[0] = cluster.restarted(0)


@experiment(22, "The token_workers are paused for 40 seconds, and wake up in a world that went on.")
async def paused(cluster: Cluster) -> None:
    await asyncio.sleep(4)
    cluster.signal("token_worker", signal.SIGSTOP)
    with cluster.fault():
        await asyncio.sleep(40)
    cluster.signal("token_worker", signal.SIGCONT)


async def _away(cluster: Cluster, service: str, *, seconds: float) -> None:
    places = cluster.places(service)
    for index in places:
        cluster.system.processes[index].kill()
    await asyncio.sleep(seconds)
    for index in places:
        cluster.system.processes[index] = cluster.restarted(index)
