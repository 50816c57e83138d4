"""The service's own app allows or declines: with the person's access token, or through the service's back end."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import start_separately
from tests.play.app import App
from tests.play.database import execute
from tests.play.issuer import CLIENT, CLIENT_SECRET, SCOPE, Issuer, running_issuer
from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.person import Person
from tests.play.sights import until_seen
from tests.play.sonos import CALLBACK, Sonos, pair_of

KEY, OTHER_KEY = "canary-key-of-the-back-end", "canary-key-for-another-service"
PAGE = "https://app.example.com"
APPS = """
[services.default]
title = "Moonlight"
app_url = "moonlight://link?code={{linkCode}}&s={{state}}"
[services.default.app]
scope = "{scope}"
origins = ["{page}"]
[services.default.app.jwks]
url = "{url}/jwks"
issuer = "{url}"
audience = "latchkey"

[services.opaque.app]
scope = "{scope}"
[services.opaque.app.introspection]
url = "{url}/introspect"
client_id = "{client}"
client_secret_file = "{secret}"
issuer = "{url}"
audience = "latchkey"

[services.info.app.userinfo]
url = "{url}/userinfo"

[services.plain]

[api_keys.default]
secret_sha256 = "{key}"
services = ["default", "plain"]
[api_keys.other]
secret_sha256 = "{other}"
services = ["opaque"]
"""


def settings(folder: Path, issuer: Issuer) -> dict[str, str]:
    """Return the environment of a deployment with an app of each kind."""
    config = folder / "latchkey.toml"
    key, other = (hashlib.sha256(each.encode()).hexdigest() for each in (KEY, OTHER_KEY))
    (folder / "secret").write_text(f"{CLIENT_SECRET}\n")
    config.write_text(
        APPS.format(
            url=issuer.url,
            client=CLIENT,
            secret=folder / "secret",
            scope=SCOPE,
            page=PAGE,
            key=key,
            other=other,
        )
    )
    return {"LATCHKEY_CONFIG": str(config)}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """The service's authorization server."""
    with running_issuer() as running:
        yield running


@pytest.fixture(params=["embedded", pytest.param("processes", marks=pytest.mark.services)])
async def system(request: pytest.FixtureRequest, issuer: Issuer, tmp_path: Path) -> AsyncIterator[System]:
    """A deployment in both forms."""
    separate = request.param == "processes"
    with deployment(
        tmp_path,
        database_url=request.getfixturevalue("postgres_url" if separate else "sqlite_url"),
        broker_url=request.getfixturevalue("rabbit_url") if separate else "memory://",
        extra=settings(tmp_path, issuer),
    ) as prepared:
        await add_account(prepared)
        if separate:
            start_separately(prepared)
        else:
            prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


@pytest.fixture(scope="module")
def running(
    sqlite_template: Path, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """One deployment for whatever is about one link alone."""
    folder = tmp_path_factory.mktemp("apps")
    shutil.copyfile(sqlite_template, folder / "latchkey.db")
    url = f"sqlite+aiosqlite:///{folder / 'latchkey.db'}"
    with deployment(
        folder, database_url=url, broker_url="memory://", extra=settings(folder, issuer)
    ) as prepared:
        asyncio.run(add_account(prepared))
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        asyncio.run(prepared.ready())
        yield prepared


def at(system: System, service: str, http: aiohttp.ClientSession) -> Sonos:
    return Sonos(http, system.endpoint if service == "default" else f"{system.endpoint}/{service}")


@pytest.fixture
def app(running: System, http: aiohttp.ClientSession) -> App:
    return App(http, running.gateways[0])


async def test_person_links_with_the_app(
    system: System, issuer: Issuer, sonos: Sonos, http: aiohttp.ClientSession
) -> None:
    """The app shows who asks, allows with the person's token, and is told how to go back; Sonos gets its pair."""
    app = App(http, system.gateways[-1])
    link = await sonos.get_app_link()
    pending = await sonos.poll(link)
    shown = await until_written(app, link.code)
    done = await app.approve(link.code, issuer.token("zoë"))
    polled = await sonos.poll(link)

    assert "Client.NOT_LINKED_RETRY" == pending.fault
    assert ("Moonlight", "requested", "an iPhone") == tuple(
        shown.json[name] for name in ("service", "state", "device")
    )
    assert (True, True) == (0 <= shown.json["age"] < 60, 500 < shown.json["expiresIn"] <= 600)
    assert (200, "linked", CALLBACK) == (done.status, done.state, done.json["url"])
    assert "Zoë" == polled["nickname"]
    assert (await sonos.root(pair_of(polled))).fault is None
    assert [("api", "zoë")] == await execute(system.database_url, "SELECT provider, subject FROM accounts")
    assert await until_seen(system, "page", "sent", "allowed", "delivered", "used")


async def until_written(app: App, code: str) -> "object":
    async with asyncio.timeout(30):
        while (shown := await app.look(code)).status == 503:
            await asyncio.sleep(0.02)
    return shown


@pytest.mark.parametrize("service", ["opaque", "info"])
async def test_other_ways_of_verifying(
    running: System, app: App, issuer: Issuer, http: aiohttp.ClientSession, service: str
) -> None:
    """Introspection and userinfo do as well, and say who it is."""
    sonos = at(running, service, http)
    link = await sonos.get_app_link()
    done = await app.approve(link.code, issuer.opaque_token("bob"))

    assert (200, "linked") == (done.status, done.state)
    assert "Bob" == (await sonos.poll(link))["nickname"]


@pytest.mark.parametrize("service", ["default", "plain"])
async def test_back_end_approves(
    running: System, app: App, http: aiohttp.ClientSession, service: str
) -> None:
    """With its key and a subject, also where no app is in the settings."""
    sonos = at(running, service, http)
    link = await sonos.get_app_link()
    done = await app.approve(link.code, KEY, {"subject": "carla", "nickname": "Carla"})

    assert (200, "linked", CALLBACK) == (done.status, done.state, done.json["url"])
    assert "Carla" == (await sonos.poll(link))["nickname"]


async def test_app_and_back_end_lead_to_one_account(
    running: System, app: App, issuer: Issuer, sonos: Sonos
) -> None:
    """A subject is one person, whoever names it; a nickname that is not told stays."""
    hashes, names = [], []
    for bearer, body in ((issuer.token("dora"), None), (KEY, {"subject": "dora"})):
        link = await sonos.get_app_link()
        await app.approve(link.code, bearer, body)
        polled = await sonos.poll(link)
        hashes.append(polled["userIdHashCode"])
        names.append(polled["nickname"])

    assert 1 == len(set(hashes))
    assert ["Dora", "Dora"] == names


Forgery = Callable[[Issuer], str | None]


@pytest.mark.parametrize(
    ("service", "forge"),
    [
        ("default", lambda issuer: issuer.token("eve", aud="somebody-else")),
        ("default", lambda issuer: issuer.token("eve", aud=None)),
        ("default", lambda issuer: issuer.token("eve", iss="https://evil.example.com")),
        ("default", lambda issuer: issuer.token("eve", exp=1_700_000_000)),
        ("default", lambda issuer: issuer.token("eve", exp=None)),
        ("default", lambda issuer: issuer.token("eve", exp="tomorrow")),
        ("default", lambda issuer: issuer.token("eve", nbf=4_000_000_000)),
        ("default", lambda issuer: issuer.token("eve", sub=None)),
        ("default", lambda issuer: issuer.token("eve", sub=4711)),
        ("default", lambda issuer: issuer.token("eve", scope="openid sonos2")),
        ("default", lambda issuer: issuer.token("eve", typ="logout+jwt")),
        ("default", lambda issuer: issuer.token("eve", signed_by=issuer.stranger)),
        ("default", lambda issuer: issuer.signed_with_the_public_key("eve")),
        ("default", lambda issuer: issuer.unsigned("eve")),
        ("default", lambda issuer: issuer.token("eve")[:-2]),
        ("default", lambda issuer: issuer.opaque_token("eve")),
        ("default", lambda _: KEY),
        ("default", lambda _: None),
        ("opaque", lambda issuer: issuer.opaque_token("eve", active=False)),
        ("opaque", lambda issuer: issuer.opaque_token("eve", active="true")),
        ("opaque", lambda issuer: issuer.opaque_token("eve", aud="somebody-else")),
        ("opaque", lambda issuer: issuer.opaque_token("eve", iss="https://evil.example.com")),
        ("opaque", lambda issuer: issuer.opaque_token("eve", exp=1_700_000_000)),
        ("opaque", lambda issuer: issuer.opaque_token("eve", scope="sonos2")),
        ("opaque", lambda issuer: issuer.token("eve")),
        ("info", lambda issuer: issuer.token("eve")),
        ("info", lambda issuer: issuer.opaque_token("eve", sub="")),
        ("plain", lambda issuer: issuer.token("eve")),
    ],
)
async def test_token_that_does_not_hold(
    running: System, app: App, issuer: Issuer, http: aiohttp.ClientSession, service: str, forge: Forgery
) -> None:
    """401 with the reason kept to ourselves; nobody is signed in, and a good token still links."""
    sonos = at(running, service, http)
    link = await sonos.get_app_link()
    refused = await app.approve(link.code, forge(issuer))
    polled = await sonos.poll(link)
    accounts = await execute(running.database_url, "SELECT 1 FROM accounts WHERE subject = 'eve'")
    good = {"default": issuer.token("ann"), "plain": KEY}.get(service) or issuer.opaque_token("ann")
    done = await app.approve(link.code, good, {"subject": "ann"} if service == "plain" else None)

    assert (401, "Bearer") == (refused.status, refused.headers["WWW-Authenticate"])
    assert "Client.NOT_LINKED_RETRY" == polled.fault
    assert [] == accounts
    assert (200, "linked") == (done.status, done.state)


@pytest.mark.parametrize(
    ("bearer", "body", "status"),
    [
        (OTHER_KEY, {"subject": "eve"}, 403),
        ("canary-key-of-nobody", {"subject": "eve"}, 401),
        (None, {"subject": "eve"}, 401),
        (KEY, {"subject": ""}, 400),
        (KEY, {"subject": "eve", "provider": "local"}, 400),
        (KEY, b"not json", 400),
        (KEY, b"[]", 400),
        (KEY, b" " * 70_000, 413),
    ],
)
async def test_back_end_that_may_not(
    app: App, sonos: Sonos, bearer: str | None, body: dict[str, object] | bytes, status: int
) -> None:
    """Keys of other services, of nobody, and bodies that do not fit: the link stays as it is."""
    link = await sonos.get_app_link()
    refused = await app.approve(link.code, bearer, body)

    assert status == refused.status
    assert "requested" == (await until_written(app, link.code)).state


async def test_access_token_beside_a_subject_is_no_key(app: App, issuer: Issuer, sonos: Sonos) -> None:
    """A person cannot approve in the name of another one."""
    link = await sonos.get_app_link()

    assert 401 == (await app.approve(link.code, issuer.token("eve"), {"subject": "ann"})).status


async def test_decline_is_final(app: App, issuer: Issuer, sonos: Sonos) -> None:
    """Sonos stops asking, the way back is told, saying it again is no error, and no token opens it any more."""
    link = await sonos.get_app_link()
    await until_written(app, link.code)
    declined = [await app.decline(link.code) for _ in range(2)]
    late = await app.approve(link.code, issuer.token("ann"))

    assert [(200, "declined", CALLBACK)] * 2 == [
        (each.status, each.state, each.json["url"]) for each in declined
    ]
    assert 410 == late.status
    assert "Client.NOT_LINKED_FAILURE" == (await sonos.poll(link)).fault


async def test_repetition_gets_the_same_answer(
    running: System, app: App, issuer: Issuer, sonos: Sonos
) -> None:
    """An app that lost the answer asks again, with another token of the same person: one link, one grant."""
    link = await sonos.get_app_link()
    answers = [await app.approve(link.code, issuer.token("fay", jti=str(turn))) for turn in range(3)]
    pairs = {pair_of(await sonos.poll(link)) for _ in range(2)}

    assert [(200, "linked")] * 3 == [(each.status, each.state) for each in answers]
    assert 1 == len(pairs)
    assert [(1, 1)] == await execute(
        running.database_url,
        "SELECT count(*), max(family) FROM grants JOIN accounts USING (account_id) WHERE subject = 'fay'",
    )


async def test_second_account_is_refused_and_told(
    running: System, app: App, issuer: Issuer, sonos: Sonos
) -> None:
    """The first who allows has the link; the other one, and who wants to decline now, hears so. Audit has both."""
    link = await sonos.get_app_link()
    first = await app.approve(link.code, issuer.token("gil"))
    second = await app.approve(link.code, issuer.token("hana"))
    declined = await app.decline(link.code)
    view = await app.look(link.code)

    assert [200, 409, 409] == [first.status, second.status, declined.status]
    assert "linked" == view.state
    assert "Gil" == (await sonos.poll(link))["nickname"]
    assert [("app.authenticated", "gil"), ("app.taken", "hana"), ("link.linked", "gil")] == sorted(
        await execute(
            running.database_url,
            "SELECT kind, subject FROM audit_events JOIN accounts USING (account_id) "
            "WHERE subject IN ('gil', 'hana')",
        )
    )


async def test_two_accounts_at_once(running: System, app: App, issuer: Issuer, sonos: Sonos) -> None:
    """However they race, one wins and the other is told."""
    for _ in range(5):
        link = await sonos.get_app_link()
        answers = await asyncio.gather(
            *(app.approve(link.code, issuer.token(subject)) for subject in ("ida", "jo"))
        )

        assert [200, 409] == sorted(answer.status for answer in answers)


async def test_browser_and_app_do_not_share_a_link(
    running: System, app: App, issuer: Issuer, sonos: Sonos, person: Person
) -> None:
    """Who has signed in on the page alone can allow there; and a link that the app has is taken for the page."""
    by_browser, by_app = await sonos.get_app_link(), await sonos.get_app_link()
    confirm = await person.sign_in(by_browser.reg_url)
    refused = [await app.approve(by_browser.code, issuer.token("kim")), await app.decline(by_browser.code)]
    done = await person.press(confirm, "Allow")
    await app.approve(by_app.code, issuer.token("kim"))
    page = await person.open(by_app.reg_url)

    assert [409, 409] == [each.status for each in refused]
    assert "Your Sonos system is linked" == done.title
    assert "This link is used in another browser" == page.title


async def test_disabled_account(running: System, app: App, issuer: Issuer, sonos: Sonos) -> None:
    """Its token holds, but it is not linked; the link stays for somebody else."""
    link = await sonos.get_app_link()
    await app.approve(link.code, issuer.token("lea"))
    await execute(running.database_url, "UPDATE accounts SET status = 'disabled' WHERE subject = 'lea'")
    again = await sonos.get_app_link()

    assert 403 == (await app.approve(again.code, issuer.token("lea"))).status
    assert 200 == (await app.approve(again.code, issuer.token("max"))).status


async def test_refused_tokens_burn_a_link(app: App, issuer: Issuer, sonos: Sonos) -> None:
    """Five, as with passwords; after that the issuer is not asked any more."""
    link = await sonos.get_app_link()
    answers = [(await app.approve(link.code, issuer.token("eve", aud="x"))).status for _ in range(5)]

    assert [401] * 5 == answers
    assert 410 == (await app.approve(link.code, issuer.token("ann"))).status
    assert "Client.NOT_LINKED_FAILURE" == (await sonos.poll(link)).fault


async def test_expired_and_forged_codes(running: System, app: App, issuer: Issuer, sonos: Sonos) -> None:
    """A code that nobody issued is not known; one whose row is over by the database's clock is gone."""
    link = await sonos.get_app_link()
    await until_written(app, link.code)
    await execute(running.database_url, "UPDATE links SET expires_at = requested_at")
    forged = link.code[:-1] + ("a" if link.code[-1] != "a" else "b")
    answers = [
        [
            (await ask(code)).status
            for ask in (app.look, app.decline, lambda code: app.approve(code, issuer.token("n")))
        ]
        for code in (link.code, forged, "x")
    ]

    assert [[200, 410, 410], [404, 404, 404], [404, 404, 404]] == answers
    assert "expired" == (await app.look(link.code)).state


@pytest.mark.parametrize("service", ["opaque", "info"])
async def test_issuer_that_is_down(
    running: System, app: App, issuer: Issuer, http: aiohttp.ClientSession, service: str
) -> None:
    """Nothing is lost and nothing counted: the app asks again when it is back."""
    sonos = at(running, service, http)
    link = await sonos.get_app_link()
    issuer.down = True
    try:
        answers = [await app.approve(link.code, issuer.opaque_token("nia")) for _ in range(6)]
    finally:
        issuer.down = False

    assert [(503, "5")] * 6 == [(each.status, each.headers["Retry-After"]) for each in answers]
    assert 200 == (await app.approve(link.code, issuer.opaque_token("nia"))).status


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_pages_of_named_origins_may_call(
    running: System, http: aiohttp.ClientSession, method: str
) -> None:
    """They and no others, the three calls on a link and no others, and cookies never."""
    path = "/api/links/x" if method == "GET" else "/api/links/x/approve"
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    seen = []
    for origin, target in ((PAGE, path), ("https://evil.example.com", path), (PAGE, "/api/users/hash")):
        headers = {"Origin": origin}
        async with http.options(running.gateways[0] + target, headers=headers | asked) as response:
            allowed = {name for name in response.headers if name.startswith("Access-Control")}
            seen.append((response.status, response.headers.get("Access-Control-Allow-Origin"), bool(allowed)))
            assert "Access-Control-Allow-Credentials" not in allowed
        async with http.request(method, running.gateways[0] + target, headers=headers) as response:
            seen.append((response.status, response.headers.get("Access-Control-Allow-Origin"), None))
    wrong_method = 405 if method == "GET" else 401

    assert [
        (204, PAGE, True),
        (404, PAGE, None),
        (204, None, False),
        (404, None, None),
        (405, None, False),
        (wrong_method, None, None),
    ] == seen


async def test_tokens_stay_out_of_the_logs(running: System, app: App, issuer: Issuer, sonos: Sonos) -> None:
    """Neither those that hold nor those that do not, nor secrets, nor codes, nor names."""
    link = await sonos.get_app_link()
    tokens = [
        issuer.token("canary-subject"),
        issuer.token("eve", aud="x"),
        issuer.opaque_token("canary-subject"),
    ]
    for token in reversed(tokens):
        await app.approve(link.code, token)
    logged = running.logs()

    assert "app's word sent" in logged
    assert [] == [
        secret for secret in (*tokens, KEY, CLIENT_SECRET, "canary-subject", link.code) if secret in logged
    ]
