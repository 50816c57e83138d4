"""The service's own back end asks for links that Sonos did not begin, and for the hash that Sonos matches accounts by."""

import asyncio
import hashlib
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import start_separately
from tests.play.database import execute
from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.person import Person
from tests.play.schema import problems_of
from tests.play.sonos import CALLBACK, HOUSEHOLD, Link, Sonos, pair_of
from tests.services.rabbit import RabbitServer

KEY, OTHER_KEY = "canary-key-of-the-back-end", "canary-key-for-another-service"
SUBJECT = "canary-subject-4711"


def settings(folder: Path) -> dict[str, str]:
    """Return the environment of a deployment with two services and a key for each."""
    config = folder / "latchkey.toml"
    keys = "".join(
        f'[api_keys.{name}]\nsecret_sha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\nservices = ["{name}"]\n'
        for name, key in (("default", KEY), ("other", OTHER_KEY))
    )
    config.write_text(f"[services.default]\n[services.other]\n{keys}")
    return {"LATCHKEY_CONFIG": str(config)}


@pytest.fixture(params=["embedded", pytest.param("processes", marks=pytest.mark.services)])
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """A deployment whose service has a back end with a key."""
    separate = request.param == "processes"
    with deployment(
        tmp_path,
        database_url=request.getfixturevalue("postgres_url" if separate else "sqlite_url"),
        broker_url=request.getfixturevalue("rabbit_url") if separate else "memory://",
        extra=settings(tmp_path),
    ) as prepared:
        await add_account(prepared)
        if separate:
            start_separately(prepared)
        else:
            prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


@pytest.fixture(scope="module")
def refusing(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One deployment for all requests that come to nothing."""
    folder = tmp_path_factory.mktemp("refusing")
    shutil.copyfile(sqlite_template, folder / "latchkey.db")
    url = f"sqlite+aiosqlite:///{folder / 'latchkey.db'}"
    with deployment(folder, database_url=url, broker_url="memory://", extra=settings(folder)) as prepared:
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        asyncio.run(prepared.ready())
        yield prepared


class BackEnd:
    """The service's own back end: what it asks, and whether the answer is as the description promises."""

    def __init__(self, http: aiohttp.ClientSession, gateway: str) -> None:
        self.http = http
        self.gateway = gateway

    async def ask(
        self, path: str, body: Mapping[str, object] | bytes, key: str | None = KEY
    ) -> tuple[int, dict[str, Any]]:
        """Send a request, hold the answer against `/api/openapi.json`, and return it."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.http.post(f"{self.gateway}{path}", headers=headers, **sent) as response:
            answer = await response.json(content_type=None)
            status, media_type = response.status, response.content_type
        async with self.http.get(f"{self.gateway}/api/openapi.json") as response:
            described = await response.json()
        promised = described["paths"][path]["post"]["responses"][str(status)]["content"]
        assert [media_type] == list(promised)
        assert [] == problems_of(answer, promised[media_type]["schema"], described)
        return status, answer

    async def link(self, **order: object) -> tuple[Link, dict[str, Any]]:
        """Ask for a link code and return what Sonos is given."""
        status, answer = await self.ask("/api/links", {"householdId": HOUSEHOLD} | order)
        assert 201 == status, answer
        link = Link(
            reg_url=answer.get("regUrl", ""), code=answer["linkCode"], device_id=answer["linkDeviceId"]
        )
        return link, answer


@pytest.fixture
def back_end(system: System, http: aiohttp.ClientSession) -> BackEnd:
    """The back end of the deployment, asking its first gateway."""
    return BackEnd(http, system.gateways[0])


async def test_link_without_subject_is_an_ordinary_one(
    back_end: BackEnd, sonos: Sonos, person: Person
) -> None:
    """The person signs in on its page, and is sent back where the back end said."""
    link, answer = await back_end.link(callbackPath=CALLBACK)
    pending = await sonos.poll(link)
    done = await person.complete(link.reg_url)
    pair = pair_of(await sonos.poll(link))

    assert (600, False) == (answer["expiresIn"], answer.get("linked", False))
    assert "Client.NOT_LINKED_RETRY" == pending.fault
    assert CALLBACK == done.way_back
    assert (await sonos.root(pair)).fault is None


async def test_link_with_subject_needs_no_sign_in(
    system: System, back_end: BackEnd, sonos: Sonos, person: Person
) -> None:
    """The back end vouches for the account: Sonos gets its pair at the first poll, and nobody can use the page."""
    link, answer = await back_end.link(subject=SUBJECT, nickname="Zoë")
    answered = await sonos.poll(link)
    root = await sonos.root(pair_of(answered))
    page = await person.open(f"{system.gateways[0]}/link/{link.code}")
    without = await sonos.poll(link, linkDeviceId="")

    assert (True, "") == (answer["linked"], link.reg_url)
    assert ("Zoë", None) == (answered["nickname"], root.fault)
    assert "This link is used in another browser" == page.title
    assert "Client.NOT_LINKED_FAILURE" == without.fault


async def test_hash_is_the_one_that_sonos_gets(back_end: BackEnd, sonos: Sonos, person: Person) -> None:
    """Asked before and after linking, by API and by Sonos, an account has one hash; and each account its own."""
    hashes = [(await back_end.ask("/api/users/hash", {"subject": SUBJECT}))[1]["userIdHashCode"]]
    link, _ = await back_end.link(subject=SUBJECT)
    polled = await sonos.poll(link)
    hashes += [
        polled["userIdHashCode"],
        (await sonos.call("getUserInfo", pair=pair_of(polled)))["userIdHashCode"],
        (await back_end.ask("/api/users/hash", {"subject": SUBJECT}))[1]["userIdHashCode"],
    ]
    another = (await back_end.ask("/api/users/hash", {"subject": "another"}))[1]["userIdHashCode"]

    assert 1 == len(set(hashes))
    assert re.fullmatch("[0-9a-f]{32}", hashes[0])
    assert another != hashes[0]
    assert "Latchkey" == polled["nickname"]


async def test_hash_of_somebody_who_signed_in_here(
    system: System, back_end: BackEnd, sonos: Sonos, person: Person
) -> None:
    """An account of another provider is found once it exists, and never made by asking."""
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)
    expected = (await sonos.poll(link))["userIdHashCode"]
    ((subject,),) = await execute(system.database_url, "SELECT subject FROM accounts")
    found = await back_end.ask("/api/users/hash", {"subject": subject, "provider": "local"})
    missing = await back_end.ask("/api/users/hash", {"subject": "nobody", "provider": "local"})

    assert (200, {"userIdHashCode": expected}) == found
    assert 404 == missing[0]
    assert [(1,)] == await execute(system.database_url, "SELECT count(*) FROM accounts")


async def test_many_requests_at_once_make_one_account(system: System, back_end: BackEnd) -> None:
    """However often and wherever it is asked at the same time, a person has one account."""
    everywhere = [BackEnd(back_end.http, gateway) for gateway in system.gateways] * 8
    answers = await asyncio.gather(
        *(each.ask("/api/users/hash", {"subject": SUBJECT}) for each in everywhere)
    )

    assert 1 == len({answer["userIdHashCode"] for _, answer in answers})
    assert [(1,)] == await execute(system.database_url, "SELECT count(*) FROM accounts")


async def test_nickname_follows_the_back_end(back_end: BackEnd, sonos: Sonos) -> None:
    """A link without a nickname keeps the one that was told before; with another one, it changes."""
    names = []
    for told in ({"nickname": "Ann"}, {}, {"nickname": "Anna"}):
        link, _ = await back_end.link(subject=SUBJECT, **told)
        names.append((await sonos.poll(link))["nickname"])

    assert ["Ann", "Ann", "Anna"] == names


async def test_disabled_account_is_not_linked(system: System, back_end: BackEnd) -> None:
    """The back end's word does not stand above an account that was disabled here."""
    await back_end.link(subject=SUBJECT)
    await execute(system.database_url, "UPDATE accounts SET status = 'disabled'")
    status, answer = await back_end.ask("/api/links", {"householdId": HOUSEHOLD, "subject": SUBJECT})

    assert (409, "The account is disabled.") == (status, answer["detail"])
    assert [("failed",)] == await execute(
        system.database_url, "SELECT state FROM links WHERE state <> 'linked'"
    )


@pytest.mark.parametrize("path", ["/api/links", "/api/users/hash"])
@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        (None, {}, 401),
        ("canary-key-of-nobody", {}, 401),
        (hashlib.sha256(KEY.encode()).hexdigest(), {}, 401),
        (OTHER_KEY, {"householdId": "Sonos_1", "subject": "somebody"}, 403),
        (KEY, {"householdId": "Sonos_1", "subject": "somebody", "service": "other"}, 403),
        (KEY, {"householdId": "Sonos_1", "subject": "somebody", "service": "unknown"}, 403),
        (KEY, b"not json", 400),
        (KEY, b"\xff", 400),
        (KEY, b"[]", 400),
        (KEY, {}, 400),
        (KEY, {"householdId": "Sonos_1", "subject": "", "service": "default"}, 400),
        (KEY, {"householdId": "Sonos_1", "subject": "somebody", "surprise": 1}, 400),
        (KEY, b" " * 70_000, 413),
    ],
)
async def test_what_is_not_in_order_is_a_problem(
    refusing: System,
    http: aiohttp.ClientSession,
    path: str,
    key: str | None,
    body: Mapping[str, object] | bytes,
    status: int,
) -> None:
    """Keys, services and bodies that do not fit get a problem document, and nothing happens."""
    if isinstance(body, dict) and path == "/api/users/hash" and status == 403:
        body = {name: value for name, value in body.items() if name != "householdId"}
    answered, answer = await BackEnd(http, refusing.gateways[0]).ask(path, body, key)

    assert (status, status) == (answered, answer["status"])


async def test_broker_away_is_said_so(
    sqlite_url: str, own_rabbit: RabbitServer, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    """Without the broker no link is issued; an account that exists has its hash all the same."""
    with deployment(
        tmp_path, database_url=sqlite_url, broker_url=own_rabbit.url, extra=settings(tmp_path)
    ) as system:
        system.start_gateway("embedded", ("-c", EMBEDDED))
        await system.ready()
        back_end = BackEnd(http, system.gateways[0])
        before = await back_end.ask("/api/users/hash", {"subject": SUBJECT})
        own_rabbit.stop()
        statuses = [
            (await back_end.ask("/api/links", {"householdId": HOUSEHOLD}))[0],
            (await back_end.ask("/api/links", {"householdId": HOUSEHOLD, "subject": SUBJECT}))[0],
            (await back_end.ask("/api/users/hash", {"subject": "new"}))[0],
        ]
        after = await back_end.ask("/api/users/hash", {"subject": SUBJECT})

    assert [503, 503, 503] == statuses
    assert before == after


async def test_keys_and_people_stay_out_of_the_logs(system: System, back_end: BackEnd) -> None:
    """Neither keys nor names nor codes are logged."""
    link, _ = await back_end.link(subject=SUBJECT)
    await back_end.ask("/api/users/hash", {"subject": SUBJECT})
    await back_end.ask("/api/users/hash", {}, OTHER_KEY)
    logged = system.logs()

    assert "link created by back end" in logged
    assert [] == [
        secret for secret in (KEY, OTHER_KEY, SUBJECT, link.code, link.device_id) if secret in logged
    ]


async def test_no_keys_no_api(embedded: System, http: aiohttp.ClientSession) -> None:
    """Where the settings give nobody a key, there is nothing to try keys on."""
    statuses = []
    for path in ("/api/links", "/api/users/hash"):
        async with http.post(f"{embedded.gateways[0]}{path}", json={}) as response:
            statuses.append(response.status)

    assert [404, 404] == statuses
