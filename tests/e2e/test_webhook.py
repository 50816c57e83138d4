"""The service is told of each new link: signed, at least once, until it takes it."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tests.e2e.conftest import start_separately
from tests.play.database import execute
from tests.play.operator import EMBEDDED, PATIENCE, System, add_account, deployment
from tests.play.person import Person
from tests.play.sonos import HOUSEHOLD, Sonos

KEY = b"canary-key-of-a-webhook!!"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass
class Receiver:
    """The service's own end: takes what it is sent, once it is ready to."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    """What the next requests are answered with; 200 after them."""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.received.append((dict(request.headers), await request.read()))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 307 else {})

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.received) < count:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[None]:
    app = web.Application()
    app.add_routes([web.post("/hook", receiver.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield
    await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A server that is listening."""
    receiver = Receiver()
    async with listening(receiver):
        yield receiver


@pytest.fixture(params=["embedded", pytest.param("processes", marks=pytest.mark.services)])
async def system(
    request: pytest.FixtureRequest, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """A deployment that tells it."""
    separate = request.param == "processes"
    with deployment(
        tmp_path_factory.mktemp("webhook"),
        database_url=request.getfixturevalue("postgres_url" if separate else "sqlite_url"),
        broker_url=request.getfixturevalue("rabbit_url") if separate else "memory://",
        extra={"LATCHKEY_WEBHOOK__URL": receiver.url, "LATCHKEY_WEBHOOK__SECRET": SECRET},
    ) as prepared:
        await add_account(prepared)
        if separate:
            start_separately(prepared)
        else:
            prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


def is_genuine(headers: dict[str, str], body: bytes) -> bool:
    """Verify as https://www.standardwebhooks.com says."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
    return headers["webhook-signature"] == f"v1,{expected}"


async def test_service_is_told_until_it_takes_it(
    system: System, sonos: Sonos, person: Person, receiver: Receiver
) -> None:
    """A redirection is not followed but tried again, under the same id, signed anew; the link itself waits for nothing."""
    receiver.statuses = [307]
    link = await sonos.get_app_link()
    done = await person.complete(link.reg_url)
    await receiver.until(2)
    headers, bodies = zip(*receiver.received, strict=True)
    told = json.loads(bodies[0])
    ((subject,),) = await execute(system.database_url, "SELECT subject FROM accounts")
    ((grant_id,),) = await execute(system.database_url, "SELECT grant_id FROM grants")

    assert "Your Sonos system is linked" == done.title
    assert [True] * 2 == [is_genuine(each, body) for each, body in receiver.received]
    assert 1 == len({each["webhook-id"] for each in headers})
    assert 1 == len(set(bodies))
    assert "link.linked" == told["type"]
    assert (subject, "local") == (told["data"]["account"]["subject"], told["data"]["account"]["provider"])
    assert (HOUSEHOLD, grant_id) == (told["data"]["household_id"], told["data"]["grant_id"])
    assert "ICRU_iPhone17,5" == told["data"]["device"]["app_name"]


async def test_notice_stays_for_the_household(
    system: System, sonos: Sonos, person: Person, receiver: Receiver
) -> None:
    """Each link leaves one row, which says nothing that opens anything; approving twice leaves no other."""
    link = await sonos.get_app_link()
    confirm = await person.sign_in(link.reg_url)
    for _ in range(2):
        await person.press(confirm, "Allow")
    await receiver.until(1)
    rows = await execute(system.database_url, "SELECT kind, household_id, app_name FROM notices")

    assert [("link.linked", HOUSEHOLD, "ICRU_iPhone17,5")] == rows
    assert KEY.decode() not in system.logs()
    assert SECRET not in system.logs()
