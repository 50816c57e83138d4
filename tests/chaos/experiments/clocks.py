"""Clocks that are wrong, and one that steps back: what decides is the database's (invariant 10)."""

import asyncio
import time
from pathlib import Path

from tests.chaos.cluster import Cluster
from tests.chaos.experiments.base import experiment
from tests.chaos.households import new_http
from tests.play.database import execute
from tests.play.sonos import Sonos

SKEW_MINUTES = 10
WRONG_SECONDS = 20
LIFE = 600
"""Seconds of a link."""
OTHER_TIME = "Sonos_of_another_time"
TOLERANCE = 2
"""Seconds by which what the database wrote may differ from this machine's true time, read before and after."""


@experiment(
    26,
    f"The gateways' clocks are {SKEW_MINUTES} minutes fast, the workers' {SKEW_MINUTES} minutes slow; then the gateways' step back.",
    leaves_whole=False,
)
async def wrong_clocks(cluster: Cluster) -> None:
    began = time.time()
    clocks = {
        "gateway": _Clock(cluster, "gateway", SKEW_MINUTES),
        "auth_worker": _Clock(cluster, "auth_worker", -SKEW_MINUTES),
        "token_worker": _Clock(cluster, "token_worker", -SKEW_MINUTES),
    }
    with cluster.fault():
        for service, clock in clocks.items():
            cluster.surroundings[service] = clock.environment()
        for index in cluster.places(*clocks):
            cluster.kill(index)
        await cluster.ready()
        async with new_http() as http:
            sonos = Sonos(http, cluster.system.endpoint, OTHER_TIME)
            link = await sonos.get_app_link()
            await asyncio.sleep(WRONG_SECONDS)
            early = await sonos.poll(link)
            clocks["gateway"].set(0)
            await asyncio.sleep(WRONG_SECONDS)
            late = await sonos.poll(link)
    if {early.fault, late.fault} != {"Client.NOT_LINKED_RETRY"}:
        cluster.ledger.surprise(
            f"a link of ten minutes was {early.fault}, and {late.fault} after the step back"
        )
    await _compare(cluster, began)


async def _compare(cluster: Cluster, began: float) -> None:
    """Hold what was written since *began* against the true time."""
    ((first_link, last_link, shortest, longest),) = await execute(
        cluster.database_url,
        "SELECT min(requested_at), max(requested_at), min(expires_at - requested_at), max(expires_at - requested_at)"
        " FROM links WHERE household_id = ANY(:names)",
        names=[*cluster.ledger.attempted, OTHER_TIME],
    )
    ((first_grant, last_grant),) = await execute(
        cluster.database_url,
        "SELECT min(issued_at), max(issued_at) FROM grants WHERE household_id = ANY(:names)",
        names=[*cluster.ledger.attempted],
    )
    now = time.time()
    for what, first, last in (("link", first_link, last_link), ("grant", first_grant, last_grant)):
        if not began - TOLERANCE <= int(str(first)) <= int(str(last)) <= now + TOLERANCE:
            cluster.ledger.surprise(
                f"{what}s are from {first} to {last}, and it was {began:.0f} to {now:.0f}"
            )
    if (shortest, longest) != (LIFE, LIFE):
        cluster.ledger.surprise(f"links live from {shortest} to {longest} seconds, and should {LIFE}")
    cluster.ledger.facts.append("every time in the database is the database's")


class _Clock:
    """The clock of a service's processes, which can be set while they run."""

    def __init__(self, cluster: Cluster, service: str, minutes: int) -> None:
        self._file = cluster.system.folder / f"clock-of-{service}"
        self.set(minutes)

    def set(self, minutes: int) -> None:
        """Put it ahead of the true time, or behind."""
        self._file.write_text(f"{minutes * 60:+d}")

    def environment(self) -> dict[str, str]:
        """Return what makes a process go by it: its wall clock alone, and not the monotonic one."""
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }
