"""What is away is said so, unlinks nobody, and is made up for when it is back."""

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path

import aiohttp

from tests.e2e.conftest import start_separately
from tests.e2e.test_link import link_household
from tests.play.operator import PATIENCE, System, add_account, deployment
from tests.play.past import stale_token
from tests.play.person import Person
from tests.play.sonos import Pair, Sonos
from tests.services.rabbit import RabbitServer


async def test_broker_away(
    postgres_url: str, own_rabbit: RabbitServer, tmp_path: Path, person: Person
) -> None:
    """Without the broker nothing new begins, and nothing old ends; with it back, both go on."""
    with deployment(tmp_path, database_url=postgres_url, broker_url=own_rabbit.url) as system:
        await add_account(system)
        system.is_watched = True
        start_separately(system)
        await system.ready()
        for process in system.processes:
            await until(person.http, process.admin, "ready")
        sonos = Sonos(person.http, system.endpoint)
        pair = await link_household(sonos, person)
        half_done = await sonos.get_app_link()
        own_rabbit.stop()
        begun = await sonos.call("getAppLink", {"householdId": sonos.household})
        polled = await sonos.poll(half_done)
        browsed = await sonos.root(pair)
        stale = Pair(token=await stale_token(system), key=pair.key)
        refreshed = await sonos.root(stale)
        ready = await told(person.http, f"{system.gateways[0]}/readyz")
        workers = [process.admin for process in system.processes if "worker" in process.name]
        unfit = [await until(person.http, worker, "not ready") for worker in workers]
        alive = [await told(person.http, f"{worker}/livez") for worker in workers]
        own_rabbit.start()
        await system.ready()
        for process in system.processes:
            await until(person.http, process.admin, "ready")
        again = await sonos.root(stale)
        await person.complete(half_done.reg_url)
        finished = await sonos.poll(half_done)

    assert [
        "Server.ServiceUnavailable",
        "Client.NOT_LINKED_RETRY",
        None,
        "Server.ServiceUnavailable",
        (200, {"status": "degraded", "broker": "not connected"}),
    ] == [
        begun.fault,
        polled.fault,
        browsed.fault,
        refreshed.fault,
        ready,
    ]
    assert [(503, {"status": "not ready", "messages": "not connected to the broker"})] * 2 == unfit
    assert [(200, {"status": "alive"})] * 2 == alive
    assert ["Client.TokenRefreshRequired", None] == [again.fault, finished.fault]


async def test_workers_away(processes: System, sonos: Sonos, person: Person) -> None:
    """A link that is begun while no worker runs is finished when they are back."""
    workers = [process for process in processes.processes if "worker" in process.name]
    for worker in workers:
        worker.stop()
        processes.processes.remove(worker)
    link = await sonos.get_app_link()
    pending = await sonos.poll(link)
    processes.start("auth-worker-again", ("-m", "auth_worker"))
    processes.start("token-worker-again", ("-m", "token_worker"))
    await person.complete(link.reg_url)
    answer = await sonos.poll(link)

    assert ["Client.NOT_LINKED_RETRY", None] == [pending.fault, answer.fault]


async def test_the_first_call_to_a_new_gateway(processes: System, http: aiohttp.ClientSession) -> None:
    """A gateway that has just started takes calls no sooner than it has the broker: a rolling restart refuses none."""
    processes.start_gateway("new-gateway")
    sonos = Sonos(http, f"{processes.gateways[-1]}/smapi")
    answer = None
    async with asyncio.timeout(PATIENCE):
        while answer is None:
            with suppress(aiohttp.ClientConnectorError):
                answer = await sonos.call("getAppLink", {"householdId": sonos.household})

    assert answer.fault is None


async def test_schema_away(sqlite_url: str, tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """A worker that comes before the migrations waits for them: it has not begun, and it does not hang."""
    database = tmp_path / "empty.db"
    url = f"sqlite+aiosqlite:///{database}"
    with deployment(tmp_path, database_url=url, broker_url="memory://") as system:
        system.is_watched = True
        worker = system.start("token-worker", ("-m", "token_worker"))
        waiting = await until(http, worker.admin, "starting", "startupz")
        alive = await told(http, f"{worker.admin}/livez")
        # At once, as the worker may look at any time.
        shutil.copyfile(tmp_path / "latchkey.db", tmp_path / "copy.db").rename(database)
        begun = await until(http, worker.admin, "started", "startupz")
        ready = await until(http, worker.admin, "ready")

    assert (503, {"status": "starting", "database": "not answering, or not migrated"}) == waiting
    assert [200, 200, 200] == [alive[0], begun[0], ready[0]]


async def told(http: aiohttp.ClientSession, url: str) -> tuple[int, dict[str, str]]:
    async with http.get(url) as response:
        return response.status, await response.json()


async def until(
    http: aiohttp.ClientSession, admin: str, status: str, probe: str = "readyz"
) -> tuple[int, dict[str, str]]:
    """Ask until a process says so, which it does not before it listens."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(aiohttp.ClientConnectorError):
                answer = await told(http, f"{admin}/{probe}")
                if answer[1]["status"] == status:
                    return answer
            await asyncio.sleep(0.05)
