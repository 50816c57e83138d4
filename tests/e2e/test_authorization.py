"""Every address, and what it says to those who may not: nobody, another's household, what was revoked, another tenant, too late, changed.

The rows are held against the routes of the application with everything switched on: a new route without a row fails.
"""

import asyncio
import hashlib
import json
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from lxml import html

from deploy import embedded
from deploy.playground.playground import open_playground
from gateway.__main__ import open_context
from gateway.app import create_app
from shared import bootstrap, keys
from shared.domain import link_code
from shared.domain.signed_request import NONCE, SIGNATURE, TIMESTAMP, signature
from shared.domain.token import TokenClaims
from shared.settings import load
from shared.tokens import sign
from tests.play.abuse import MARK, NONSENSE
from tests.play.backend import SECRET, Backend
from tests.play.database import execute
from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.person import NAME, PASSWORD, Person
from tests.play.sonos import Pair, Sonos, pair_of

KEY, OTHER_KEY = "canary-key-of-the-back-end", "canary-key-for-another-service"
EVENT_SECRET = "canary-secret-of-account-events-of-32"
HOUR = 3600
MADE_UP = "k" + "0" * 31
FOREIGN = "403 This form is not from this browser"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


CONFIG = f"""
demo = true

[services.default]
typed_codes = true
[services.default.app]
origins = ["https://app.example.com"]
[services.default.app.jwks]
url = "http://127.0.0.1:9/jwks"
issuer = "http://127.0.0.1:9"
audience = "latchkey"
[services.other]

[providers.local]
type = "local"
[providers.acme]
type = "oidc"
issuer = "http://127.0.0.1:9"
client_id = "latchkey"

[api_clients.backend]
secret_sha256 = "{sha256(SECRET)}"
roles = ["introspect", "revoke"]
[api_clients.stranger]
secret_sha256 = "{sha256(SECRET)}"
roles = ["introspect", "revoke"]
may_act_for = ["other"]

[api_keys.default]
secret_sha256 = "{sha256(KEY)}"
services = ["default"]
[api_keys.other]
secret_sha256 = "{sha256(OTHER_KEY)}"
services = ["other"]

[account_events]
backchannel_logout = ["acme"]
secrets = ["{EVENT_SECRET}"]
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A deployment, and what each of those who ask has in hand."""

    system: System
    live: Pair
    pairs: Mapping[str, Pair]
    """Who asks -> what Sonos was once given."""
    codes: Mapping[str, str]
    """Who asks -> link code."""

    @property
    def gateway(self) -> str:
        return self.system.gateways[0]


Ask = Callable[[Stage, aiohttp.ClientSession, str], Awaitable[str]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One address, and what each of them is told: an outcome, or `not applicable`, with the reason in `why`."""

    ask: Ask
    nobody: str
    other_household: str
    revoked: str
    other_service: str
    expired: str
    tampered: str
    why: str = ""


NA = "not applicable"
COLUMNS = ("nobody", "other_household", "revoked", "other_service", "expired", "tampered")


def changed(text: str) -> str:
    """Return *text* with one character of its middle changed."""
    place = len(text) // 2
    return text[:place] + ("b" if text[place] == "a" else "a") + text[place + 1 :]


def smapi(path: str) -> Ask:
    async def ask(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
        household = "Sonos_of_somebody_else" if who == "other_household" else "Sonos_live"
        sonos = Sonos(http, stage.gateway + path, household)
        pair = None if who == "nobody" else stage.pairs[who]
        answer = await sonos.call("getMetadata", {"id": "root", "index": "0", "count": "1"}, pair=pair)
        return answer.fault or "answered"

    return ask


def verify(path: str) -> Ask:
    async def ask(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
        sent = () if who == "nobody" else (f"Bearer {stage.pairs[who].token}",)
        return str((await Backend(http, stage.gateway).verify(*sent, path=path)).status)

    return ask


def oauth(call: str) -> Ask:
    async def ask(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
        if who == "nobody":
            said = await Backend(http, stage.gateway).post(call, {"token": stage.live.token})
        elif who == "other_service":
            said = await Backend(http, stage.gateway, "stranger").ask(call, stage.live.token)
        else:
            said = await Backend(http, stage.gateway).ask(call, stage.pairs[who].token)
        return f"{said.status} {json.dumps(said.json)}"

    return ask


async def told(response: aiohttp.ClientResponse) -> str:
    """Return status, and the heading if it is a page."""
    text = await response.text()
    if response.status == 303:
        return "303 to the link" if response.headers["Location"].startswith("/link/") else "303"
    page = response.content_type == "text/html"
    title = html.fromstring(text).findtext(".//h1") if page else None
    return f"{response.status} {title}" if title else str(response.status)


def get(path: str) -> Ask:
    """Ask for a page of a link; the code is all that it takes."""

    async def ask(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
        url = stage.gateway + path.format(code=stage.codes[who])
        async with http.get(url, allow_redirects=False) as response:
            return await told(response)

    return ask


def post(path: str, form_of: str = "") -> Ask:
    """Send a page's form: with another browser's token, with an invented one, or for a link that is not there.

    *form_of* is the page that has the form; without it, that of the link.
    """

    async def ask(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
        async with Person() as person:
            form = {"name": "ann", "password": "x", "provider": "local", "code": "BBBBBBBB"}
            if who == "other_household":
                page = form_of or f"/link/{stage.codes['live']}?with=local"
                async with Person() as other, other.http.get(stage.gateway + page) as response:
                    form |= dict(re.findall(r'name="(form_token)" value="([^"]+)"', await response.text()))
                assert "form_token" in form
                await (await person.http.get(stage.gateway + page)).read()
            url = stage.gateway + path.format(code=stage.codes[who])
            async with person.http.post(url, data=form, allow_redirects=False) as response:
                return await told(response)

    return ask


def api(path: str, body: Mapping[str, str]) -> Ask:
    async def ask(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
        key = {
            "nobody": "",
            "revoked": "canary-key-that-was-taken-out",
            "other_service": OTHER_KEY,
            "tampered": changed(KEY),
        }.get(who, KEY)
        code = stage.codes[who if who in {"expired", "tampered"} else "live"]
        headers = (
            {"Authorization": f"Bearer {KEY if '{' in path and who == 'tampered' else key}"} if key else {}
        )
        url = stage.gateway + path.format(code=code)
        async with http.post(url, json=body, headers=headers) as response:
            return await told(response)

    return ask


async def decline_in_app(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
    async with http.post(f"{stage.gateway}/api/links/{stage.codes[who]}/decline") as response:
        return await told(response)


async def event(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
    timestamp = str(int(time.time()) - (HOUR if who == "expired" else 0))
    nonce, body = f"nonce-of-{who}-0000", b'{"subject":"nobody-we-know"}'
    secret = b"canary-secret-that-was-taken-out" if who == "revoked" else EVENT_SECRET.encode()
    signed = signature(secret, timestamp=timestamp, nonce=nonce, body=body)
    headers = {} if who == "nobody" else {TIMESTAMP: timestamp, NONCE: nonce, SIGNATURE: signed}
    sent = changed(body.decode()).encode() if who == "tampered" else body
    async with http.post(f"{stage.gateway}/events/account.disabled", data=sent, headers=headers) as response:
        return await told(response)


async def log_out(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
    form = {} if who == "nobody" else {"logout_token": changed("eyJhbGciOiJub25lIn0.e30.")}
    async with http.post(f"{stage.gateway}/backchannel/acme", data=form) as response:
        return await told(response)


async def come_back(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
    query = {} if who == "nobody" else {"code": "x", "state": "made-up-state"}
    async with http.get(f"{stage.gateway}/callback/acme", params=query) as response:
        return await told(response)


def visit(path: str) -> Ask:
    """Ask for a page of the household with the cookies of a visit that has ended, is of another service, or was changed."""

    async def ask(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
        cookies: dict[str, str] = {}
        if who != "nobody":
            async with Person() as person:
                page = await person.open(f"{stage.gateway}/household/default?with=local")
                page = await person.press(page, "Sign in", name=NAME, password=PASSWORD)
                assert "Sign out" in page.buttons
                cookies = {cookie.key: cookie.value for cookie in person.http.cookie_jar}
                if who == "revoked":
                    await person.press(page, "Sign out")
        if who == "tampered":
            cookies = {name: changed(value) for name, value in cookies.items()}
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
        url = stage.gateway + path.format(service="other" if who == "other_service" else "default")
        async with http.get(url, headers={"Cookie": sent} if sent else {}, allow_redirects=False) as response:
            return await told(response)

    return ask


def play(method: str, path: str) -> Ask:
    """Ask for a play that does not exist, or for that of another tab's browser."""

    async def ask(stage: Stage, http: aiohttp.ClientSession, who: str) -> str:
        name = "made-up"
        if who == "other_household":
            async with Person() as other, other.http.get(stage.gateway) as response:
                (name,) = re.findall(r'data-play="([^"]*)"', await response.text())
        url = stage.gateway + path.format(play=name)
        async with http.request(method, url, allow_redirects=False) as response:
            return await told(response)

    return ask


def public(path: str, status: str = "200", method: str = "GET") -> Row:
    """Everybody is told the same: there is nothing to hold in hand."""

    async def ask(stage: Stage, http: aiohttp.ClientSession, _: str) -> str:
        async with http.request(method, stage.gateway + path, allow_redirects=False) as response:
            await response.read()
            return str(response.status)

    return Row(
        ask=ask,
        nobody=status,
        other_household=NA,
        revoked=NA,
        other_service=NA,
        expired=NA,
        tampered=NA,
        why="public: there is nothing to hold in hand",
    )


SMAPI = Row(
    ask=smapi("/smapi"),
    nobody="Client.LoginUnauthorized",
    # The household's id changes its shape; the token is the identity.
    other_household="answered",
    revoked="Client.AuthTokenExpired",
    other_service="Client.LoginUnauthorized",
    expired="Client.TokenRefreshRequired",
    tampered="Client.LoginUnauthorized",
)
VERIFY = Row(
    ask=verify("/verify"),
    nobody="401",
    other_household=NA,
    revoked="401",
    other_service="401",
    expired="401",
    tampered="401",
    why="no household is named",
)
PAGE = Row(
    ask=get("/link/{code}"),
    nobody="404 This link is not valid any more",
    other_household=NA,
    revoked="200 You declined",
    other_service=NA,
    expired="404 This link is not valid any more",
    tampered="404 This link is not valid any more",
    why="the code is the whole right to look, and names household and service",
)
FORM = Row(
    ask=post("/link/{code}/sign-in"),
    nobody="404 This link is not valid any more",
    other_household=FOREIGN,
    revoked=FOREIGN,
    other_service=NA,
    expired="404 This link is not valid any more",
    tampered="404 This link is not valid any more",
    why="the code names its service",
)
ENTRY = Row(
    ask=post("/enter", "/enter"),
    nobody=FOREIGN,
    other_household=FOREIGN,
    revoked=NA,
    other_service=NA,
    expired=NA,
    tampered=NA,
    why="codes that are typed are judged by auth_worker: tests/contract/test_typed_codes.py",
)
VISIT = Row(
    ask=visit("/household/{service}"),
    nobody="200 Sign in to see your Sonos systems",
    other_household=NA,
    revoked="200 Sign in to see your Sonos systems",
    other_service="200 Sign in to see your Sonos systems",
    expired=NA,
    tampered="200 Sign in to see your Sonos systems",
    why="visits are of people, and what ends them with time is judged in tests/contract/test_visits.py",
)
HOUSEHOLD_FORM = Row(
    ask=post("/household/default/sign-in", "/household/default?with=local"),
    nobody=FOREIGN,
    other_household=FOREIGN,
    revoked=NA,
    other_service=NA,
    expired=NA,
    tampered=NA,
    why="forms are made out to a browser and its visit: tests/e2e/test_household.py",
)
KEYED = Row(
    ask=api("/api/links", {"service": "default", "householdId": "Sonos_x"}),
    nobody="401",
    other_household=NA,
    revoked="401",
    other_service="403",
    expired=NA,
    tampered="401",
    why="keys are not of households, and do not expire",
)
PLAY = Row(
    ask=play("GET", "/play/{play}/events"),
    nobody="404",
    other_household="404",
    revoked=NA,
    other_service=NA,
    expired=NA,
    tampered=NA,
    why="a play is known by its tab's browser alone",
)


def alike(ask: Ask, outcome: str) -> Row:
    """Whoever has no visit of this service is sent to its way in, or shown it."""
    return replace(VISIT, ask=ask, nobody=outcome, revoked=outcome, other_service=outcome, tampered=outcome)


ROWS: dict[str, Row] = {
    "POST /smapi": SMAPI,
    "POST /smapi/{service}": replace(SMAPI, ask=smapi("/smapi/default")),
    "GET /smapi": public("/smapi"),
    "GET /smapi/{service}": public("/smapi/other"),
    "GET /.well-known/jwks.json": public("/.well-known/jwks.json"),
    "GET /.well-known/content-jwks.json": public("/.well-known/content-jwks.json"),
    "GET /livez": public("/livez"),
    "GET /readyz": public("/readyz"),
    "GET /static/{name}": public("/static/style.css"),
    "GET /api/openapi.json": public("/api/openapi.json"),
    "GET /enter": public("/enter"),
    "GET /enter/{service}": public("/enter/default"),
    "GET /": public("/", "303"),
    "GET /static/playground.css": public("/static/playground.css"),
    "GET /static/playground.svg": public("/static/playground.svg"),
    "GET /static/playground.js": public("/static/playground.js"),
    "OPTIONS /api/links/{code}": public(f"/api/links/{MADE_UP}", "204", "OPTIONS"),
    "OPTIONS /api/links/{code}/approve": public(f"/api/links/{MADE_UP}/approve", "204", "OPTIONS"),
    "OPTIONS /api/links/{code}/decline": public(f"/api/links/{MADE_UP}/decline", "204", "OPTIONS"),
    "GET /verify": VERIFY,
    "GET /verify/{service}": replace(VERIFY, ask=verify("/verify/default")),
    "POST /oauth/introspect": Row(
        ask=oauth("introspect"),
        nobody='401 {"error": "invalid_client"}',
        other_household=NA,
        revoked='200 {"active": false}',
        other_service='200 {"active": false}',
        expired='200 {"active": false}',
        tampered='200 {"active": false}',
        why="a token is asked about, not a household",
    ),
    "POST /oauth/revoke": Row(
        ask=oauth("revoke"),
        nobody='401 {"error": "invalid_client"}',
        other_household=NA,
        revoked="200 {}",
        other_service="200 {}",
        expired="200 {}",
        tampered="200 {}",
        why="a token is ended, not a household",
    ),
    "GET /link/{code}": PAGE,
    "GET /link/{code}/with/{provider}": replace(
        PAGE, ask=get("/link/{code}/with/acme"), other_household="303 to the link", revoked="303 to the link"
    ),
    "POST /link/{code}/sign-in": FORM,
    "POST /link/{code}/approve": replace(FORM, ask=post("/link/{code}/approve")),
    "POST /link/{code}/decline": replace(FORM, ask=post("/link/{code}/decline")),
    "GET /callback/{provider}": Row(
        ask=come_back,
        nobody="400 This sign-in cannot be used",
        other_household=NA,
        revoked=NA,
        other_service=NA,
        expired=NA,
        tampered="400 This sign-in cannot be used",
        why="states of others and old ones: tests/unit/gateway/test_round_trip.py",
    ),
    "POST /enter": ENTRY,
    "POST /enter/{service}": replace(ENTRY, ask=post("/enter/default", "/enter/default")),
    "GET /household": public("/household", "303"),
    "GET /household/{service}": VISIT,
    "GET /household/{service}/erase": alike(visit("/household/{service}/erase"), "200 Erase this account?"),
    "GET /household/{service}/download": alike(visit("/household/{service}/download"), "303"),
    "GET /household/{service}/with/{provider}": alike(visit("/household/{service}/with/acme"), "303"),
    "GET /household/{service}/erase/with/{provider}": alike(
        visit("/household/{service}/erase/with/acme"), "303"
    ),
    "POST /household/{service}/sign-in": HOUSEHOLD_FORM,
    **{
        f"POST /household/{{service}}/{act}": replace(
            HOUSEHOLD_FORM, ask=post(f"/household/default/{act}", "/household/default?with=local")
        )
        for act in ("sign-out", "unlink", "erase", "erase/sign-in")
    },
    "POST /api/links": KEYED,
    "POST /api/users/hash": replace(
        KEYED, ask=api("/api/users/hash", {"service": "default", "subject": "s", "provider": "acme"})
    ),
    "GET /api/links/{code}": replace(
        PAGE, ask=get("/api/links/{code}"), nobody="404", revoked="200", expired="404", tampered="404"
    ),
    "POST /api/links/{code}/approve": Row(
        ask=api("/api/links/{code}/approve", {"subject": "s"}),
        nobody="401",
        other_household=NA,
        revoked="401",
        other_service="403",
        expired="404",
        tampered="404",
        why="the link code names the household",
    ),
    "POST /api/links/{code}/decline": replace(
        PAGE, ask=decline_in_app, nobody="404", revoked="200", expired="404", tampered="404"
    ),
    "POST /events/account.disabled": Row(
        ask=event,
        nobody="401",
        other_household=NA,
        revoked="401",
        other_service=NA,
        expired="401",
        tampered="401",
        why="about accounts; one secret for all services",
    ),
    "POST /backchannel/{provider}": Row(
        ask=log_out,
        nobody="400",
        other_household=NA,
        revoked=NA,
        other_service=NA,
        expired=NA,
        tampered="503",
        why="503 since the keys of this provider are out of reach; what auth_worker makes of tokens: tests/e2e/test_account_lifecycle.py",
    ),
    "GET /play/{play}/events": PLAY,
    "GET /play/{play}/sign-in": replace(PLAY, ask=play("GET", "/play/{play}/sign-in")),
    "POST /play/{play}/{act}": replace(PLAY, ask=play("POST", "/play/{play}/break")),
}


async def _grant_expires(system: System, household: str) -> str:
    """Move a household's grant two hours back, and return the token it then had."""
    where = "WHERE household_id = :household"
    await execute(
        system.database_url,
        f"UPDATE grants SET issued_at = issued_at - 7200, expires_at = expires_at - 7200 {where}",
        household=household,
    )
    ((grant_id, account_id, issued_at, expires_at),) = await execute(
        system.database_url,
        f"SELECT grant_id, account_id, issued_at, expires_at FROM grants {where}",
        household=household,
    )
    claims = TokenClaims(
        issuer=system.gateways[0].removeprefix("http://"),
        service="default",
        account_id=str(account_id),
        grant_id=str(grant_id),
        family=1,
        generation=1,
        issued_at=int(str(issued_at)),
        expires_at=int(str(expires_at)),
    )
    return sign(claims, keys.read(system.keys_dir, keys.TokenWorkerKeys).signing[0])


async def _set(system: System) -> Stage:
    await system.ready()
    for service in ("default", "other"):
        await add_account(system, service=service)
    gateway = system.gateways[0]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:

        async def linked(household: str, path: str = "/smapi") -> Pair:
            sonos = Sonos(http, gateway + path, household)
            link = await sonos.get_app_link()
            async with Person() as person:
                await person.complete(f"{link.reg_url}?with=local")
            return pair_of(await sonos.poll(link))

        live, ended, late = [await linked(f"Sonos_{name}") for name in ("live", "ended", "late")]
        other = await linked("Sonos_other", "/smapi/other")
        await Backend(http, gateway).ask("revoke", ended.token)
        async with asyncio.timeout(60):
            while not await execute(system.database_url, "SELECT 1 FROM grants WHERE status <> 'active'"):
                await asyncio.sleep(0.02)
        sonos = Sonos(http, f"{gateway}/smapi", "Sonos_codes")
        code, declined = (await sonos.get_app_link()).code, await sonos.get_app_link()
        async with Person() as person:
            await person.press(await person.open(f"{declined.reg_url}?with=local"), "Decline")
    own = keys.read(system.keys_dir, keys.GatewayKeys)
    old, _ = link_code.issue(
        key=own.link_code[0].secret,
        service="default",
        lifetime=600,
        now=int(time.time()) - HOUR,
        random=b"x" * link_code.RANDOM_BYTES,
    )
    return Stage(
        system=system,
        live=live,
        pairs={
            "other_household": live,
            "revoked": ended,
            "other_service": other,
            "expired": Pair(token=await _grant_expires(system, "Sonos_late"), key=late.key),
            "tampered": Pair(token=changed(live.token), key=live.key),
        },
        codes={
            "live": code,
            "nobody": MADE_UP,
            "other_household": code,
            "revoked": declined.code,
            "expired": old,
            "tampered": changed(code),
        },
    )


@pytest.fixture(scope="module")
def stage(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One deployment with everything switched on."""
    folder = tmp_path_factory.mktemp("authorization")
    shutil.copyfile(sqlite_template, folder / "latchkey.db")
    (folder / "latchkey.toml").write_text(CONFIG)
    extra = {"LATCHKEY_CONFIG": str(folder / "latchkey.toml")}
    url = f"sqlite+aiosqlite:///{folder / 'latchkey.db'}"
    with deployment(folder, database_url=url, broker_url="memory://", extra=extra) as system:
        system.start_gateway("embedded", ("-c", EMBEDDED))
        yield asyncio.run(_set(system))


async def test_every_route_has_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no row is about an address that is gone."""
    (tmp_path / "latchkey.toml").write_text(CONFIG)
    monkeypatch.setenv("LATCHKEY_CONFIG", str(tmp_path / "latchkey.toml"))
    settings = load(**embedded.settings_for(tmp_path, listen="127.0.0.1:0", public_url="http://127.0.0.1"))
    await asyncio.to_thread(embedded.prepare, settings)
    async with (
        bootstrap.open_bus(settings) as bus,
        open_context(settings, bus) as context,
        open_playground(settings) as playground,
    ):
        app = create_app(context)
        playground.add_to(app, context)
        routes = {
            f"{route.method} {route.resource.canonical}"
            for route in app.router.routes()
            if route.resource and route.method != "HEAD"
        }

    assert routes == set(ROWS)


CELLS = [(route, column) for route, row in ROWS.items() for column in COLUMNS if getattr(row, column) != NA]


@pytest.mark.parametrize(("route", "who"), CELLS, ids=[f"{route} {who}" for route, who in CELLS])
async def test_answer_is_as_documented(
    stage: Stage, http: aiohttp.ClientSession, route: str, who: str
) -> None:
    """What the table says, to the letter."""
    row = ROWS[route]

    assert getattr(row, who) == await row.ask(stage, http, who)


@pytest.mark.parametrize("route", ROWS)
def test_what_does_not_apply_has_a_reason(route: str) -> None:
    """A cell is left out for a reason that is written down."""
    row = ROWS[route]

    assert bool(row.why) == (NA in {getattr(row, column) for column in COLUMNS})


async def test_nonsense_is_refused_everywhere(stage: Stage, http: aiohttp.ClientSession) -> None:
    """Whatever comes to whatever address is answered as a mistake of who sent it, and told to no log."""
    process, names = stage.system.processes[0], {"code": stage.codes["revoked"], "service": "default"}
    before, outcomes = len(process.log.read_bytes()), dict[str, str]()
    for route in ROWS:
        method, path = route.split(" ")
        url = stage.gateway + path.format_map(
            names | {"play": MARK, "act": MARK, "name": MARK, "provider": MARK}
        )
        for name, (headers, body) in NONSENSE.items():
            if body and method != "POST":
                continue
            sent = http.request(
                method,
                url,
                params={"with": MARK, "attempt": MARK, "state": MARK},
                headers=headers,
                data=body,
                allow_redirects=False,
            )
            async with sent as response:
                outcomes[f"{route} {name}"] = await fate(response)
    logged = process.log.read_bytes()[before:].decode()

    assert {} == {what: outcome for what, outcome in outcomes.items() if outcome != "fine"}
    assert MARK not in logged
    assert "Traceback" not in logged


async def fate(response: aiohttp.ClientResponse) -> str:
    """Return `fine` for an answer that blames nobody but who asked; SOAP says so in a fault."""
    text = await response.text()
    is_fine = response.status < 500 or "<faultcode>Client." in text
    return "fine" if is_fine else f"{response.status} {text[:200]}"


async def test_what_is_refused_changes_nothing(stage: Stage, http: aiohttp.ClientSession) -> None:
    """After all who may not have tried to end it, the household is signed in, and its other link is open."""
    for who in ("nobody", "other_service", "tampered"):
        await oauth("revoke")(stage, http, who)
    for path in ("approve", "decline"):
        await post(f"/link/{{code}}/{path}")(stage, http, "other_household")
    sonos = Sonos(http, f"{stage.gateway}/smapi", "Sonos_live")
    async with http.get(f"{stage.gateway}/api/links/{stage.codes['live']}") as response:
        link = await response.json()

    assert (await sonos.root(stage.live)).fault is None
    assert "requested" == link["state"]
