"""The front door: what is not Latchkey's is checked, vouched for, and answered by the service's own endpoint."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from shared import keys
from shared.context import SystemRandom
from tests.e2e.test_link import link_household
from tests.play.content import LANGUAGE, ContentServer, content_server, fault
from tests.play.database import execute
from tests.play.operator import EMBEDDED, PATIENCE, System, add_account, deployment
from tests.play.past import stale_token
from tests.play.person import Person
from tests.play.sonos import HOUSEHOLD, SMAPI, Pair, Sonos

ROOT = {"id": "root", "index": "0", "count": "100"}
MEGABYTE = 1024 * 1024
LIMIT = 48 * MEGABYTE
TIMEOUT = 2
"""Seconds; whoever asks a content server that never answers waits for so long."""
UNAVAILABLE = "Server.ServiceUnavailable"


@dataclass(frozen=True, kw_only=True)
class Door:
    """A gateway with a content server behind it, and a household that is linked."""

    system: System
    content: ContentServer
    pair: Pair

    @property
    def endpoint(self) -> str:
        return self.system.endpoint

    @property
    def process(self) -> Path:
        return Path(f"/proc/{self.system.processes[0].popen.pid}")

    def resident_peak(self) -> int:
        """Return the most memory that the gateway's process had since the peak was forgotten, in bytes."""
        return int((self.process / "status").read_text().split("VmHWM:")[1].split()[0]) * 1024

    def forget_peak(self) -> None:
        """Measure anew from here: checking a password took more memory than anything else here (proc(5), clear_refs)."""
        (self.process / "clear_refs").write_text("5")


@contextmanager
def opened(folder: Path, database: Path, **changes: str) -> Iterator[Door]:
    """Run a deployment with a content server, and link a household."""
    shutil.copyfile(database, folder / "latchkey.db")
    with content_server() as content:
        lines = {
            "url": f'"{content.url}"',
            "timeout": str(TIMEOUT),
            "max_answer": str(LIMIT),
            **changes,
        }
        settings = "\n".join(f"{name} = {value}" for name, value in lines.items())
        (folder / "latchkey.toml").write_text(f"[services.default.content]\n{settings}\n")
        with deployment(
            folder,
            database_url=f"sqlite+aiosqlite:///{folder / 'latchkey.db'}",
            broker_url="memory://",
            extra={"LATCHKEY_CONFIG": str(folder / "latchkey.toml")},
        ) as system:
            system.start_gateway("embedded", ("-c", EMBEDDED))
            content.gateway = system.gateways[0]
            yield Door(system=system, content=content, pair=asyncio.run(_linked(system)))


async def _linked(system: System) -> Pair:
    await add_account(system)
    await system.ready()
    async with Person() as person:
        return await link_household(Sonos(person.http, system.endpoint), person)


@pytest.fixture(scope="module")
def shared_door(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door"), sqlite_template) as door:
        yield door


@pytest.fixture
def door(shared_door: Door) -> Door:
    """The door of this module, with nothing received yet."""
    shared_door.content.received.clear()
    return shared_door


@pytest.fixture
def own_door(sqlite_template: Path, tmp_path: Path) -> Iterator[Door]:
    """A door for tests that end its household's link."""
    with opened(tmp_path, sqlite_template) as door:
        yield door


@pytest.fixture
def passing_door(sqlite_template: Path, tmp_path: Path) -> Iterator[Door]:
    """A door through which all that may pass passes."""
    names = '["getUserInfo", "getLastUpdate", "reportAccountAction"]'
    with opened(tmp_path, sqlite_template, pass_on=names) as door:
        yield door


@pytest.fixture
def sonos(http: aiohttp.ClientSession, request: pytest.FixtureRequest) -> Sonos:
    name = next(name for name in ("own_door", "passing_door", "door") if name in request.fixturenames)
    return Sonos(http, request.getfixturevalue(name).endpoint)


async def test_call_is_answered_by_the_content_server(door: Door, sonos: Sonos) -> None:
    """The envelope arrives byte for byte, and the answer is the content server's."""
    answer = await sonos.call(
        "search", {"id": "a", "term": "<é&", "index": "0", "count": "9"}, pair=door.pair
    )
    (received,) = door.content.received

    assert (200, None) == (answer.status, answer.fault)
    assert "search" == received.method
    assert received.body == sonos.envelope(
        "search", {"id": "a", "term": "<é&", "index": "0", "count": "9"}, door.pair
    )


async def test_content_server_is_told_who_asks(door: Door, sonos: Sonos) -> None:
    """Account, household and grant as the rows have them: in a JWT that its own library verifies, and in headers."""
    await sonos.root(door.pair, bearer=True)
    (received,) = door.content.received
    rows = "SELECT a.account_id, a.provider, a.subject, g.household_id, g.grant_id FROM grants g JOIN accounts a USING (account_id)"
    ((account, provider, subject, household, grant),) = await execute(door.system.database_url, rows)
    claims = dict(received.claims)
    lifetime = int(str(claims.pop("exp"))) - int(str(claims.pop("iat")))

    assert HOUSEHOLD == household
    assert 60 == lifetime
    assert {
        "iss": door.system.gateways[0].removeprefix("http://"),
        "aud": door.content.url,
        "sub": account,
        "service": "default",
        "provider": provider,
        "provider_sub": subject,
        "household": household,
        "gid": grant,
    } == claims
    assert {
        "latchkey-account": account,
        "latchkey-provider": provider,
        "latchkey-subject": subject,
        "latchkey-nickname": "ann",
        "latchkey-household": household,
        "latchkey-correlation-id": received.headers["latchkey-correlation-id"],
    } == {name: value for name, value in received.headers.items() if name.startswith("latchkey-")}
    assert received.headers["latchkey-correlation-id"] in door.system.logs()


async def test_nothing_else_of_the_caller_arrives(door: Door, sonos: Sonos) -> None:
    """Identity headers of the caller's own, hop-by-hop headers and all others end here; the language passes."""
    await sonos.call(
        "getMetadata",
        ROOT,
        pair=door.pair,
        headers={
            "SOAPAction": "getMetadata",
            "Content-Type": "text/xml; charset=utf-7",
            "Accept-Language": LANGUAGE,
            "Latchkey-Account": "somebody",
            "latchkey-tier": "paidPremium",
            "Latchkey-Correlation-Id": "mine",
            "Connection": "keep-alive, X-Hop",
            "X-Hop": "1",
            "TE": "trailers",
            "Cookie": "a=b",
            "Forwarded": "for=1.2.3.4",
            "X-Forwarded-For": "1.2.3.4",
            "Proxy-Authorization": "Basic YTpi",
        },
    )
    (received,) = door.content.received
    headers = received.headers

    assert {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "accept-language",
        "content-length",
        "content-type",
        "soapaction",
        "authorization",
        "latchkey-account",
        "latchkey-provider",
        "latchkey-subject",
        "latchkey-nickname",
        "latchkey-household",
        "latchkey-correlation-id",
    } == set(headers)
    assert "somebody" != headers["latchkey-account"]
    assert "mine" != headers["latchkey-correlation-id"]
    assert door.pair.token not in headers["authorization"]
    assert (LANGUAGE, f'"{SMAPI}#getMetadata"', "text/xml; charset=utf-8") == (
        headers["accept-language"],
        headers["soapaction"],
        headers["content-type"],
    )


@pytest.mark.parametrize("language", ["fr\tde", "é", "x" * 256, "<script>"])
async def test_language_that_is_none_ends_here(door: Door, sonos: Sonos, language: str) -> None:
    """Only what looks like languages goes on; the call does as well."""
    answer = await sonos.call("getMetadata", ROOT, pair=door.pair, headers={"Accept-Language": language})
    (received,) = door.content.received

    assert None is answer.fault
    assert "accept-language" not in received.headers


async def test_one_voucher_serves_many_calls(door: Door, sonos: Sonos) -> None:
    """A household that browses costs one signature."""
    await asyncio.gather(*(sonos.root(door.pair) for _ in range(8)))

    assert len({received.headers["authorization"] for received in door.content.received}) == 1


async def test_only_the_answer_comes_back(door: Door, sonos: Sonos, http: aiohttp.ClientSession) -> None:
    """Cookies and other headers of the content server do not reach Sonos."""
    async with http.post(
        door.endpoint,
        data=sonos.envelope("getMetadata", ROOT, door.pair),
        headers={"SOAPAction": f'"{SMAPI}#getMetadata"'},
    ) as response:
        await response.read()

    assert {"Content-Length", "Content-Type", "Date", "Server", "X-Content-Type-Options"} == set(
        response.headers
    )
    assert "content" != response.headers["Server"]


async def test_fault_of_the_content_server_passes(door: Door, sonos: Sonos) -> None:
    """With its status and every byte."""
    answer = await sonos.call("getMetadata", ROOT | {"id": "nowhere"}, pair=door.pair)

    assert (500, "Client.ItemNotFound") == (answer.status, answer.fault)
    assert fault("Client.ItemNotFound").body == answer.raw


@pytest.mark.parametrize("method", ["getMetadata", "search", "rateItem", "somethingNew"])
async def test_call_without_a_token_goes_no_further(door: Door, sonos: Sonos, method: str) -> None:
    """No token, or somebody else's: LoginUnauthorized, and the content server hears nothing."""
    missing = await sonos.call(method)
    unknown = await sonos.call(method, pair=Pair(token=door.pair.token[:-6] + "AAAAAA", key=door.pair.key))

    assert ["Client.LoginUnauthorized"] * 2 == [missing.fault, unknown.fault]
    assert [] == door.content.received


@pytest.mark.parametrize(
    ("action", "body"),
    [
        (
            "getMetadata",
            "<deleteContainer xmlns='http://www.sonos.com/Services/1.1'><id>1</id></deleteContainer>",
        ),
        ("getAppLink", "<getMetadata xmlns='http://www.sonos.com/Services/1.1'><id>1</id></getMetadata>"),
        (
            "getMetadata",
            "<getMetadata xmlns='http://www.sonos.com/Services/1.1'/><deleteContainer xmlns='http://www.sonos.com/Services/1.1'/>",
        ),
    ],
)
async def test_request_with_two_readings_goes_no_further(
    door: Door, sonos: Sonos, http: aiohttp.ClientSession, action: str, body: str
) -> None:
    """What two servers could take for two different calls reaches neither."""
    usual = sonos.envelope("getMetadata", {}, door.pair)
    twofold = usual.replace(f'<getMetadata xmlns="{SMAPI}"></getMetadata>'.encode(), body.encode())
    async with http.post(
        door.endpoint, data=twofold, headers={"SOAPAction": f'"{SMAPI}#{action}"'}
    ) as response:
        answer = await response.read()

    assert usual != twofold
    assert b"Client.MalformedRequest" in answer
    assert [] == door.content.received


async def test_stale_token_is_refreshed_first(own_door: Door, sonos: Sonos) -> None:
    """TokenRefreshRequired; the content server hears nothing until the call is repeated with the successor."""
    stale = Pair(token=await stale_token(own_door.system), key=own_door.pair.key)
    refused = await sonos.root(stale)
    heard = list(own_door.content.received)
    repeated = await sonos.root(Pair(token=refused["authToken"], key=refused["privateKey"]))

    assert ("Client.TokenRefreshRequired", []) == (refused.fault, heard)
    assert (None, 1) == (repeated.fault, len(own_door.content.received))


async def test_revoked_household_goes_no_further(own_door: Door, sonos: Sonos) -> None:
    """AuthTokenExpired, and the content server hears nothing."""
    await execute(own_door.system.database_url, "UPDATE grants SET status = 'revoked'")
    answer = await sonos.root(own_door.pair)

    assert ("Client.AuthTokenExpired", []) == (answer.fault, own_door.content.received)


@pytest.mark.parametrize("method", ["getSessionId", "getAppLink", "getDeviceAuthToken", "refreshAuthToken"])
async def test_credentials_are_made_here_alone(door: Door, sonos: Sonos, method: str) -> None:
    """What makes or renews credentials never goes on, whatever the case it is written in."""
    await sonos.call(method, pair=door.pair)
    await sonos.call(method.upper(), pair=door.pair)

    assert [] == door.content.received


async def test_what_may_pass_stays_unless_set(door: Door, sonos: Sonos) -> None:
    """The small built-in answers of three methods stay."""
    user = await sonos.call("getUserInfo", pair=door.pair)
    update = await sonos.call("getLastUpdate", pair=door.pair)
    action = await sonos.call("reportAccountAction", {"type": "addAccount"}, pair=door.pair)

    assert ("ann", "1", None) == (user["nickname"], update["catalog"], action.fault)
    assert [] == door.content.received


async def test_what_may_pass_is_passed_when_set(passing_door: Door, sonos: Sonos) -> None:
    """`pass_on` names what the content server answers, too: checked like every other method."""
    user = await sonos.call("getUserInfo", pair=passing_door.pair)
    update = await sonos.call("getLastUpdate", pair=passing_door.pair)
    action = await sonos.call("reportAccountAction", {"type": "addAccount"}, pair=passing_door.pair)
    nobody = await sonos.call("getUserInfo")

    assert ("of the content", "of the content", None) == (user["nickname"], update["catalog"], action.fault)
    assert "Client.LoginUnauthorized" == nobody.fault
    assert 3 == len(passing_door.content.received)


async def redirecting(request: web.Request) -> web.StreamResponse:
    return web.Response(
        status=307, headers={"Location": str(request.url)}, content_type="text/xml", body=b"<a/>"
    )


async def in_html(_: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="<h1>Traceback</h1>", content_type="text/html")


async def empty(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b"", content_type="text/xml")


async def in_words(_: web.Request) -> web.StreamResponse:
    return web.Response(text="Fatal error", content_type="text/xml")


async def refusing(_: web.Request) -> web.StreamResponse:
    return web.Response(status=401, text="<a/>", content_type="text/xml")


async def compressed(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b"<a/>", headers={"Content-Type": "text/xml", "Content-Encoding": "gzip"})


async def announcing_too_much(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b" " * (LIMIT + 1), content_type="text/xml")


async def hanging_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def breaking_off_early(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/xml", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"<a>")
    return await hanging_up(request)


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def never_after_the_headers(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/xml"})
    await response.prepare(request)
    await response.write(b"<a>")
    return await never(request)


IN_TROUBLE: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = [
    redirecting,
    in_html,
    empty,
    in_words,
    refusing,
    compressed,
    announcing_too_much,
    hanging_up,
    breaking_off_early,
    never,
    never_after_the_headers,
]


@pytest.mark.parametrize("trouble", IN_TROUBLE, ids=lambda trouble: trouble.__name__)
async def test_content_server_in_trouble(
    door: Door, sonos: Sonos, trouble: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> None:
    """ServiceUnavailable, one request, and nothing of what the content server said."""
    with door.content.answering(trouble):
        answer = await sonos.root(door.pair)
    after = await sonos.root(door.pair)

    assert (UNAVAILABLE, None) == (answer.fault, after.fault)
    assert 2 == len(door.content.received)


async def test_content_server_that_is_down(door: Door, sonos: Sonos) -> None:
    """ServiceUnavailable while it is away, an answer when it is back; what is ours works all along."""
    with door.content.away():
        answer = await sonos.root(door.pair)
        link = await sonos.get_app_link()
        user = await sonos.call("getUserInfo", pair=door.pair)
    back = await sonos.root(door.pair)

    assert (UNAVAILABLE, "ann") == (answer.fault, user["nickname"])
    assert link.code
    assert None is back.fault


async def drained(response: aiohttp.ClientResponse) -> int:
    """Read to the end, keep nothing, and return how many bytes came."""
    length = 0
    while piece := await response.content.readany():
        length += len(piece)
    return length


PIECE = b"<mediaCollection><id>1</id></mediaCollection>".ljust(64 * 1024)


def long_answer(megabytes: int, *, announced: bool) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return an answer that is made while it is sent."""

    async def send(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/xml"})
        if announced:
            response.content_length = megabytes * MEGABYTE
        await response.prepare(request)
        for _ in range(megabytes * 16):
            await response.write(PIECE)
        return response

    return send


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
async def test_long_answer_streams_through(
    door: Door, sonos: Sonos, http: aiohttp.ClientSession, announced: bool
) -> None:
    """40 MB come through whole, and the gateway grows by far less: it never holds an answer."""
    await sonos.root(door.pair)
    door.forget_peak()
    before = door.resident_peak()
    with door.content.answering(long_answer(40, announced=announced)):
        async with http.post(door.endpoint, data=sonos.envelope("getMetadata", ROOT, door.pair)) as response:
            length = await drained(response)

    assert (200, 40 * MEGABYTE) == (response.status, length)
    assert door.resident_peak() - before < 8 * MEGABYTE


async def test_answer_that_grows_too_long_is_cut(
    door: Door, sonos: Sonos, http: aiohttp.ClientSession
) -> None:
    """What exceeds the limit on the way ends with the connection, so that nobody takes it for whole."""
    with door.content.answering(long_answer(LIMIT // MEGABYTE + 8, announced=False)):
        async with http.post(door.endpoint, data=sonos.envelope("getMetadata", ROOT, door.pair)) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await drained(response)
    after = await sonos.root(door.pair)

    assert None is after.fault
    assert "answer cut" in door.system.logs()


async def test_answer_that_stops_half_way_is_cut(
    door: Door, sonos: Sonos, http: aiohttp.ClientSession
) -> None:
    """The time limit holds for the whole answer, however it began."""

    async def stopping(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/xml"})
        await response.prepare(request)
        for _ in range(16):
            await response.write(PIECE)
        return await never(request)

    with door.content.answering(stopping):
        async with http.post(door.endpoint, data=sonos.envelope("getMetadata", ROOT, door.pair)) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await drained(response)


async def test_listener_who_hangs_up_frees_the_content_server(door: Door, sonos: Sonos) -> None:
    """Nobody reads on: the connection to the content server is given up, not drained."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def endless(request: web.Request) -> web.StreamResponse:
        try:
            return await long_answer(40, announced=True)(request)
        finally:
            loop.call_soon_threadsafe(ended.set)

    with door.content.answering(endless):
        async with (
            aiohttp.ClientSession() as http,
            http.post(door.endpoint, data=sonos.envelope("getMetadata", ROOT, door.pair)) as response,
        ):
            await response.content.readany()
            response.close()
        async with asyncio.timeout(30):
            await ended.wait()
    after = await sonos.root(door.pair)

    assert None is after.fault


def test_gateway_needs_a_key_to_vouch_with(sqlite_url: str, tmp_path: Path) -> None:
    """With key files of an earlier version it does not start, and says what to do; the command that it names is enough."""
    (tmp_path / "latchkey.toml").write_text('[services.default.content]\nurl = "http://127.0.0.1:1/"\n')
    extra = {"LATCHKEY_CONFIG": str(tmp_path / "latchkey.toml")}
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://", extra=extra) as system:
        for name in ("gateway.json", "public.json"):
            file = json.loads((system.keys_dir / name).read_text())
            (system.keys_dir / name).write_text(json.dumps({**file, "content": []}))
        refused = system.start_gateway("without")
        status = refused.popen.wait(timeout=PATIENCE)
        system.processes.clear()
        system.gateways.clear()
        keys.complete(SystemRandom().token_bytes, system.keys_dir)
        system.start_gateway("completed")
        asyncio.run(system.ready())

    assert 2 == status
    assert f"latchkey keys complete {system.keys_dir}" in refused.log.read_text()


def test_keys_are_told_apart(door: Door) -> None:
    """The key that vouches to content servers signs no authToken, and the other way round."""
    public = keys.read(door.system.keys_dir, keys.PublicKeys)

    assert set() == {jwk["x"] for jwk in public.signing} & {jwk["x"] for jwk in public.content}
