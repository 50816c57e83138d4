"""Runs one experiment from a whole system to a verdict."""

import asyncio
import time

from tests.chaos.cluster import open_cluster
from tests.chaos.experiments.base import Experiment, Result
from tests.services.keeper import Keeper

SETTINGS = {
    # All households come from one address, and sign in within seconds.
    "LATCHKEY_LINK__MAX_PASSWORD_FAILURES": "100",
}


async def run(experiment: Experiment, keeper: Keeper, *, households: int) -> Result:
    """Run one experiment, on servers and processes of its own."""
    started = time.monotonic()
    async with (
        asyncio.timeout(experiment.seconds),
        open_cluster(
            keeper,
            settings={**SETTINGS, **experiment.settings},
            begins_again=experiment.begins_again,
        ) as cluster,
    ):
        if experiment.traffic:
            async with cluster.traffic(households):
                await experiment.inflict(cluster)
        else:
            await experiment.inflict(cluster)
        if experiment.check:
            await experiment.check(cluster)
        cluster.look_at_logs()
        counts = cluster.ledger.counts(duplicated=await cluster.duplicated())
    return Result(
        experiment=experiment,
        counts=counts,
        seconds=time.monotonic() - started,
        seen={operation: dict(outcomes) for operation, outcomes in cluster.ledger.seen.items()},
        facts=tuple(cluster.ledger.facts),
        surprises=tuple(cluster.ledger.surprises),
    )
