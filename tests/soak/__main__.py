"""`python -m tests.soak`: rolling restarts, new keys, and a long quiet run, under load; no call may fail."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import click
from rich.console import Console
from rich.table import Table

from deploy.rotation import Step, rotate
from shared.context import SystemClock, SystemRandom
from tests.chaos.cluster import PLAIN, SERVICES, Cluster
from tests.chaos.ledger import Ledger
from tests.chaos.opening import open_cluster
from tests.services.keeper import Keeper, running_keeper
from tests.soak.front import nginx_before
from tests.soak.samples import Samples

SAMPLE_SECONDS = 2.0
STOP_SECONDS = 60
FINE = {"ok", "Client.NOT_LINKED_RETRY"}
"""How calls may be answered; everything else is a failed call."""

Phase = Callable[[Cluster, float], Awaitable[Samples | None]]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--restarts", default=10.0, show_default=True, help="Minutes of rolling restarts.")
@click.option(
    "--steady", default=20.0, show_default=True, help="Minutes in which nothing is done to the system."
)
@click.option("--households", default=24, show_default=True, help="Simulated households at a time.")
def main(restarts: float, steady: float, households: int) -> None:
    r"""Run two gateways and two of each worker behind nginx, with households that link and refresh, and let no call fail.

    First all keys are replaced in three steps, with all processes restarted one by one after each; then processes are
    restarted one by one, for a time; then nothing happens for a time, and nothing may grow.

    \b
    Example:
      python -m tests.soak --restarts 1 --steady 2
    """
    phases: list[tuple[str, Phase, float]] = [
        ("new keys", _new_keys, 0),
        ("rolling restarts", _restarts, restarts * 60),
        ("steady", _steady, steady * 60),
    ]
    problems: list[str] = []
    with running_keeper() as keeper:
        problems = asyncio.run(_run(phases, keeper, households))
    sys.exit(bool(problems))


async def _run(phases: list[tuple[str, Phase, float]], keeper: Keeper, households: int) -> list[str]:
    console, problems = Console(soft_wrap=True), []
    async with (
        open_cluster(keeper, PLAIN, broker="rabbit") as cluster,
        nginx_before(cluster.system.gateways, cluster.system.folder) as front,
    ):
        for name, phase, seconds in phases:
            cluster.ledger = Ledger(during_fault=True)
            async with _traffic(cluster, front, households), _told(console, name, cluster):
                samples = await phase(cluster, seconds)
            cluster.look_at_logs()
            problems += await _verdict(console, name, cluster, samples)
    return problems


@asynccontextmanager
async def _traffic(cluster: Cluster, front: str, households: int) -> AsyncIterator[None]:
    """Let households live behind the proxy; in the end all of them are well."""
    gateways, cluster.system.gateways = cluster.system.gateways, [front]
    async with cluster.traffic(households):
        cluster.system.gateways = gateways
        yield


async def _new_keys(cluster: Cluster, _: float) -> None:
    for step in Step:
        rotate(step, cluster.system.keys_dir, random=SystemRandom().token_bytes, now=SystemClock().now())
        for index in range(len(SERVICES)):
            await _restart(cluster, index)


async def _restarts(cluster: Cluster, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for index in range(len(SERVICES)):
            await _restart(cluster, index)


async def _restart(cluster: Cluster, index: int) -> None:
    """Stop a process in good order, start it again, and wait until it is at work."""
    process = cluster.system.processes[index]
    process.popen.send_signal(signal.SIGTERM)
    status = await asyncio.to_thread(process.popen.wait, STOP_SECONDS)
    if status != 0:
        cluster.ledger.surprise(f"{process.name} ended with {status} when asked to stop")
    started = cluster.system.processes[index] = cluster.restarted(index)
    if SERVICES[index] == "gateway":
        async with aiohttp.ClientSession() as http:
            while not await cluster.system.is_ready(http, cluster.system.gateways[index]):
                await asyncio.sleep(0.1)
    else:
        while "worker started" not in started.log.read_text():
            await asyncio.sleep(0.1)


async def _steady(cluster: Cluster, seconds: float) -> Samples:
    samples, ends = Samples(), time.monotonic() + seconds
    while time.monotonic() < ends:
        samples.take(cluster.system.processes)
        await asyncio.sleep(SAMPLE_SECONDS)
    return samples


@asynccontextmanager
async def _told(console: Console, name: str, cluster: Cluster) -> AsyncIterator[None]:
    """Show how it goes."""

    async def tell() -> None:
        with console.status(name) as status:
            while True:
                calls = sum(each.total() for each in cluster.ledger.seen.values())
                status.update(f"{name}: {calls} calls")
                await asyncio.sleep(1)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _verdict(console: Console, name: str, cluster: Cluster, samples: Samples | None) -> list[str]:
    ledger = cluster.ledger
    counts = ledger.counts(duplicated=await cluster.duplicated())
    table = Table("Calls", "Answered", "Times", title=f"{name}: {counts}")
    failed = []
    for operation, outcomes in sorted(ledger.seen.items()):
        for outcome, times in sorted(outcomes.items()):
            table.add_row(operation, outcome, str(times))
            if outcome not in FINE:
                failed.append(f"{name}: {operation} was answered {outcome!r}, {times} times")
    console.print(table)
    if samples is not None:
        for process, (before, after) in samples.growth().items():
            console.print(
                f"{process}: {before.memory_mb:.1f} MB, {before.files} files; in the end {after.memory_mb:.1f} MB, {after.files} files"
            )
    problems = [*failed, *ledger.surprises, *(samples.problems() if samples else [])]
    if not counts.is_good:
        problems.append(f"{name}: {counts}")
    for problem in problems:
        console.print(f"wrong: {problem}", style="red")
    return problems


if __name__ == "__main__":
    main()
