"""What is away is said so, unlinks nobody, and is made up for when it is back."""

from pathlib import Path

import aiohttp

from tests.e2e.conftest import start_separately
from tests.e2e.test_link import link_household
from tests.play.operator import System, add_account, deployment
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
        start_separately(system)
        await system.ready()
        sonos = Sonos(person.http, system.endpoint)
        pair = await link_household(sonos, person)
        half_done = await sonos.get_app_link()
        own_rabbit.stop()
        begun = await sonos.call("getAppLink", {"householdId": sonos.household})
        polled = await sonos.poll(half_done)
        browsed = await sonos.root(pair)
        stale = Pair(token=await stale_token(system), key=pair.key)
        refreshed = await sonos.root(stale)
        ready = await readiness(system, person.http)
        own_rabbit.start()
        await system.ready()
        again = await sonos.root(stale)
        await person.complete(half_done.reg_url)
        finished = await sonos.poll(half_done)

    assert [
        "Server.ServiceUnavailable",
        "Client.NOT_LINKED_RETRY",
        None,
        "Server.ServiceUnavailable",
        503,
    ] == [
        begun.fault,
        polled.fault,
        browsed.fault,
        refreshed.fault,
        ready,
    ]
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


async def readiness(system: System, http: aiohttp.ClientSession) -> int:
    async with http.get(f"{system.gateways[0]}/readyz") as response:
        return response.status
