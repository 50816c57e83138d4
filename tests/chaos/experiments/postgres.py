"""PostgreSQL killed, silent, full, locked, pooled, and replaced by its standby; and commits whose answer never comes."""

import asyncio
from urllib.parse import urlsplit

import asyncpg

from tests.chaos.cluster import Cluster, Stage
from tests.chaos.experiments.base import experiment
from tests.chaos.proxies import Fault
from tests.play.database import execute


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


@experiment(
    16,
    "The way to the database leads through PgBouncer in transaction mode, with three connections behind it; it is killed once.",
    stage=Stage(pgbouncer=True),
    down="PgBouncer, killed",
)
async def through_pgbouncer(cluster: Cluster) -> None:
    (pooler,) = (name for name in cluster.opened if name.startswith("pgbouncer"))
    await asyncio.sleep(15)
    with cluster.fault():
        await asyncio.to_thread(cluster.keeper.order, "kill", pooler)
        await asyncio.sleep(4)
    await asyncio.to_thread(cluster.keeper.order, "start", pooler)
    await asyncio.sleep(4)


@experiment(
    17,
    "The primary is killed, its synchronous standby is promoted, and the address leads there.",
    leaves_whole=False,
    down="PostgreSQL, until the standby is promoted",
)
async def failover(cluster: Cluster) -> None:
    _, standby = await asyncio.to_thread(cluster.open_server, f"standby of {cluster.postgres.url}")
    url = str(standby["url"])
    primary = await asyncpg.connect(cluster.postgres.url)
    try:
        # Without this, what was acknowledged in the last moment may be lost with the primary, whoever uses it.
        await primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await primary.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(60):
            while not await primary.fetchval("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"):
                await asyncio.sleep(0.05)
    finally:
        await primary.close()
    await asyncio.sleep(4)
    with cluster.fault():
        await asyncio.to_thread(cluster.postgres.kill)
        await asyncio.sleep(2)
        await execute(url.replace("postgresql:", "postgresql+asyncpg:"), "SELECT pg_promote(true, 60)")
    cluster.database_url = urlsplit(cluster.database_url)._replace(netloc=urlsplit(url).netloc).geturl()
    cluster.postgres_cable.retarget(cluster.database_url)
    await asyncio.sleep(4)
