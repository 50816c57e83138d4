"""Runs experiments, from whole systems to verdicts: one system after the other, and on each as many experiments as leave it whole."""

import asyncio
import shutil
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from tests.chaos.cluster import Cluster, Stage
from tests.chaos.experiments.base import Experiment, Result
from tests.chaos.ledger import Ledger
from tests.chaos.opening import open_cluster
from tests.services.keeper import Keeper

ARTIFACTS = Path("test-artifacts")


async def run(
    experiments: Iterable[Experiment], keeper: Keeper, *, households: int, broker: str = "rabbit"
) -> AsyncGenerator[Result, None]:
    """Run experiments, those of one stage after each other.

    A system that was not left whole, or did something wrong, is thrown away, and the next experiment gets a new one.
    """
    waiting: dict[Stage, deque[Experiment]] = {}
    for experiment in experiments:
        waiting.setdefault(experiment.stage, deque()).append(experiment)
    for stage, queue in waiting.items():
        while queue:
            async with open_cluster(keeper, stage, broker=broker) as cluster:
                is_whole = True
                while queue and is_whole:
                    result = await _run_one(queue.popleft(), cluster, households)
                    is_whole = result.experiment.leaves_whole and result.is_good
                    if not result.is_good:
                        keep_logs(cluster, ARTIFACTS / f"chaos-{result.experiment.name}")
                    yield result


def keep_logs(cluster: Cluster, folder: Path) -> None:
    """Keep what our processes and the broker logged, for who has to find out why."""
    folder.mkdir(parents=True, exist_ok=True)
    of_broker = [] if cluster.rabbit.logs is None else cluster.rabbit.logs.glob("*.log")
    for log in (*cluster.system.folder.glob("*.log"), *of_broker):
        shutil.copyfile(log, folder / log.name)


async def _run_one(experiment: Experiment, cluster: Cluster, households: int) -> Result:
    started = time.monotonic()
    cluster.ledger, cluster.begins_again = Ledger(), experiment.begins_again
    try:
        async with asyncio.timeout(experiment.seconds):
            await _inflict(experiment, cluster, households)
            duplicated = await cluster.duplicated()
    except Exception as error:  # noqa: BLE001 (whatever it is, the other experiments go on)
        duplicated = 0
        cluster.ledger.surprise(f"not carried out to its end: {error!r:.2000}")
    cluster.look_at_logs()
    ledger = cluster.ledger
    if ledger.begun_again:
        ledger.facts.append(f"{ledger.begun_again} links were begun again")
    ledger.facts += ledger.words_of_the_unlucky()
    return Result(
        experiment=experiment,
        counts=ledger.counts(duplicated=duplicated),
        seconds=time.monotonic() - started,
        seen={operation: dict(outcomes) for operation, outcomes in ledger.seen.items()},
        facts=tuple(ledger.facts),
        surprises=tuple(ledger.surprises),
    )


async def _inflict(experiment: Experiment, cluster: Cluster, households: int) -> None:
    buried = await cluster.dead_letters()
    if experiment.prepare:
        await experiment.prepare(cluster)
    if experiment.traffic:
        async with cluster.traffic(households):
            await experiment.inflict(cluster)
    else:
        await experiment.inflict(cluster)
    if experiment.check:
        await experiment.check(cluster)
    await cluster.look_whether_whole()
    buried = await cluster.dead_letters() - buried
    if buried != experiment.buries:
        cluster.ledger.surprise(f"{buried} messages were given up, and {experiment.buries} should be")
