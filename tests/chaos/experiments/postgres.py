"""PostgreSQL killed, silent, full, locked; and commits whose answer never comes."""

import asyncio

import asyncpg

from tests.chaos.cluster import Cluster
from tests.chaos.experiments.base import experiment
from tests.chaos.proxies import Fault


@experiment(11, "One in twenty commits is carried out, and its answer lost.", gate=True)
async def commit_answers_lost(cluster: Cluster) -> None:
    cluster.postgres_cable.lose_commit_answers = 20
    with cluster.fault():
        await asyncio.sleep(20)
    cluster.postgres_cable.lose_commit_answers = 0
    cut = cluster.postgres_cable.cut_commits
    cluster.ledger.facts.append(f"{cut} answers to commits were lost")
    if not cut:
        cluster.ledger.surprise("no commit was cut, so nothing was tested")


@experiment(
    12,
    "The network to the database swallows everything for 20 seconds, connections stay open.",
    gate=True,
    down="the network to PostgreSQL, silent",
)
async def database_silent(cluster: Cluster) -> None:
    await asyncio.sleep(5)
    cluster.postgres_cable.suffer(Fault.BLACK_HOLE)
    with cluster.fault():
        await asyncio.sleep(20)
    cluster.postgres_cable.heal()


@experiment(13, "The database is killed, and started three seconds later.", down="PostgreSQL, killed")
async def database_killed(cluster: Cluster) -> None:
    await asyncio.sleep(5)
    with cluster.fault():
        await asyncio.to_thread(cluster.postgres.kill)
        await asyncio.sleep(3)
    await asyncio.to_thread(cluster.postgres.start)


@experiment(14, "Idle clients take every connection the database has, for ten seconds.")
async def connections_exhausted(cluster: Cluster) -> None:
    await asyncio.sleep(3)
    url = cluster.database_url.replace("+asyncpg", "")
    taken: list[asyncpg.Connection] = []
    # Those that are open already go on; whoever needs a new one does without.
    cluster.postgres_cable.reset()
    try:
        while True:
            taken.append(await asyncpg.connect(url))
    except asyncpg.PostgresError:
        cluster.ledger.facts.append(f"{len(taken)} idle clients took all there was")
    with cluster.fault():
        await asyncio.sleep(10)
    await asyncio.gather(*(connection.close() for connection in taken))


@experiment(15, "A migration holds the table of links for 15 seconds.", down="the table of links, locked")
async def table_locked(cluster: Cluster) -> None:
    await asyncio.sleep(4)
    connection = await asyncpg.connect(cluster.database_url.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE links IN ACCESS EXCLUSIVE MODE")
            with cluster.fault():
                await asyncio.sleep(15)
    finally:
        await connection.close()
