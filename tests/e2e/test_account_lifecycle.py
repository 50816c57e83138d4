"""The account lives on, or it does not: looked up again after a refresh, logged out by its provider, disabled by the service."""

import asyncio
import hashlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from auth_worker.providers.oauth2 import KeptTokens
from shared import keys
from shared.boxes import provider_tokens_identity
from shared.domain.signed_request import NONCE, SIGNATURE, TIMESTAMP, signature
from shared.sealing import seal
from tests.e2e.conftest import start_separately
from tests.play.app import App
from tests.play.database import execute
from tests.play.directory import CLIENT, Directory, running_directory
from tests.play.issuer import AUDIENCE
from tests.play.operator import EMBEDDED, PATIENCE, System, deployment
from tests.play.past import stale_token
from tests.play.sonos import Pair, Sonos, pair_of

SECRET, NEXT_SECRET = "canary-webhook-secret-number-one-of-32", "canary-webhook-secret-number-two-of-32"
CONFIG = """
[providers.acme]
type = "oidc"
issuer = "{url}"
client_id = "{client}"
keep_tokens = true
userinfo = false

[recheck.acme]
every = 24

[account_events]
backchannel_logout = ["acme"]
secrets = ["{secret}", "{next_secret}"]

[services.default.app]
provider = "acme"
[services.default.app.jwks]
url = "{url}/jwks"
issuer = "{url}"
audience = "{audience}"
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Directory]:
    with running_directory() as running:
        yield running


@pytest.fixture
def directory(provider: Directory) -> Directory:
    """The provider, on a day of its own."""
    provider.mode = "well"
    for memory in (provider.live, provider.used, provider.asked):
        memory.clear()
    return provider


def settings(folder: Path, directory: Directory) -> dict[str, str]:
    config = folder / "latchkey.toml"
    config.write_text(
        CONFIG.format(
            url=directory.url, client=CLIENT, secret=SECRET, next_secret=NEXT_SECRET, audience=AUDIENCE
        )
    )
    return {"LATCHKEY_CONFIG": str(config)}


@pytest.fixture(params=["embedded", pytest.param("processes", marks=pytest.mark.services)])
async def system(
    request: pytest.FixtureRequest, directory: Directory, tmp_path: Path
) -> AsyncIterator[System]:
    """A deployment whose people come from one OpenID Connect provider."""
    separate = request.param == "processes"
    with deployment(
        tmp_path,
        database_url=request.getfixturevalue("postgres_url" if separate else "sqlite_url"),
        broker_url=request.getfixturevalue("rabbit_url") if separate else "memory://",
        extra=settings(tmp_path, directory),
    ) as prepared:
        if separate:
            start_separately(prepared)
        else:
            prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


@pytest.fixture
async def embedded(sqlite_url: str, directory: Directory, tmp_path: Path) -> AsyncIterator[System]:
    """The same in one process."""
    with deployment(
        tmp_path, database_url=sqlite_url, broker_url="memory://", extra=settings(tmp_path, directory)
    ) as prepared:
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


@pytest.fixture(scope="module")
def running(
    sqlite_template: Path, provider: Directory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """One for all that comes to nothing."""
    folder = tmp_path_factory.mktemp("lifecycle")
    shutil.copyfile(sqlite_template, folder / "latchkey.db")
    url = f"sqlite+aiosqlite:///{folder / 'latchkey.db'}"
    with deployment(
        folder, database_url=url, broker_url="memory://", extra=settings(folder, provider)
    ) as prepared:
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        asyncio.run(prepared.ready())
        yield prepared


async def linked(sonos: Sonos, system: System, directory: Directory) -> Pair:
    """Link the household to Ann's account, which has a refresh token that is kept since yesterday."""
    link = await sonos.get_app_link()
    done = await App(sonos.http, system.gateways[0]).approve(link.code, directory.token("ann"))
    assert 200 == done.status, done
    ((account_id,),) = await execute(system.database_url, "SELECT account_id FROM accounts")
    sealed = seal(
        msgspec.json.encode(KeptTokens(subject="ann", refresh_token=directory.refresh_token("ann"))),
        recipient=keys.read(system.keys_dir, keys.PublicKeys).auth_worker_box[0].public,
        bound_to=provider_tokens_identity(str(account_id)),
    )
    await execute(system.database_url, "DELETE FROM provider_tokens")
    await execute(
        system.database_url,
        "INSERT INTO provider_tokens (account_id, service, sealed, checked_at, version) "
        "VALUES (:account_id, 'default', :sealed, 0, 1)",
        account_id=account_id,
        sealed=sealed,
    )
    return pair_of(await sonos.poll(link))


async def refreshed(sonos: Sonos, system: System, pair: Pair) -> Pair:
    """Let the token become stale and come back, again where the service cannot answer just now, as Sonos does."""
    stale = Pair(token=await stale_token(system), key=pair.key)
    async with asyncio.timeout(PATIENCE):
        while (answer := await sonos.root(stale)).fault == "Server.ServiceUnavailable":
            system.expect_alive()
    return pair_of(answer)


async def until(system: System, query: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await execute(system.database_url, query):
            system.expect_alive()
            await asyncio.sleep(0.02)


async def test_person_who_is_gone_has_to_sign_in_again(
    system: System, directory: Directory, sonos: Sonos
) -> None:
    """The refresh itself is answered as ever; then the provider is asked, and the next call says AuthTokenExpired."""
    pair = await linked(sonos, system, directory)
    directory.forget("ann")
    successor = await refreshed(sonos, system, pair)
    await system.until_all_grants_ended()
    ended = await sonos.root(successor)
    again = await linked(sonos, system, directory)

    assert "Client.AuthTokenExpired" == ended.fault
    assert (await sonos.root(again)).fault is None
    assert [("provider says gone",)] == [
        (json.loads(str(detail))["reason"],)
        for (detail,) in await execute(
            system.database_url, "SELECT detail FROM audit_events WHERE kind = 'grant.revoked'"
        )
    ]


async def test_person_who_is_there_notices_nothing(
    system: System, directory: Directory, sonos: Sonos
) -> None:
    """The provider is asked once, its new token is kept, and the household goes on."""
    pair = await linked(sonos, system, directory)
    successor = await refreshed(sonos, system, pair)
    await until(system, "SELECT 1 FROM account_checks WHERE claim IS NULL AND doubt = 'none'")
    another = await refreshed(sonos, system, successor)

    assert (await sonos.root(another)).fault is None
    assert 1 == directory.asked["token"]


async def test_provider_that_is_down_is_not_noticed(
    embedded: System, directory: Directory, sonos: Sonos
) -> None:
    """Whatever it answers."""
    pair = await linked(sonos, embedded, directory)
    directory.mode = "broken"
    successor = await refreshed(sonos, embedded, pair)
    await until(embedded, "SELECT 1 FROM account_checks WHERE claim IS NULL AND doubt = 'open'")

    assert (await sonos.root(successor)).fault is None


async def test_worker_that_is_killed_while_the_provider_answers(
    postgres_url: str, rabbit_url: str, directory: Directory, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The provider has rotated, the new token died with the process: the household goes on, also when it is asked again."""
    with deployment(
        tmp_path, database_url=postgres_url, broker_url=rabbit_url, extra=settings(tmp_path, directory)
    ) as system:
        start_separately(system)
        await system.ready()
        sonos = Sonos(http, system.endpoint)
        pair = await linked(sonos, system, directory)
        directory.mode = "held"
        successor = await refreshed(sonos, system, pair)
        async with asyncio.timeout(PATIENCE):
            while not directory.holding:
                await asyncio.sleep(0.02)
        workers = [process for process in system.processes if process.name.endswith("worker")]
        for process in workers:
            process.kill()
            system.processes.remove(process)
        directory.mode = "well"
        async with asyncio.timeout(PATIENCE):
            while directory.holding:
                await asyncio.sleep(0.02)
        await execute(system.database_url, "UPDATE account_checks SET next_at = 0")
        system.start("auth-worker-again", ("-m", "auth_worker"))
        system.start("token-worker-again", ("-m", "token_worker"))
        another = await refreshed(sonos, system, successor)
        await until(system, "SELECT 1 FROM audit_events WHERE kind = 'account.recheck_unknown'")
        root = await sonos.root(another)

    assert root.fault is None
    assert [] == await execute(postgres_url, "SELECT 1 FROM audit_events WHERE kind = 'grant.revoked'")


async def log_out(system: System, http: aiohttp.ClientSession, token: object, **form: str) -> int:
    url = f"{system.gateways[-1]}/backchannel/acme"
    async with http.post(url, data={"logout_token": token} | form) as response:
        assert "no-store" == response.headers["Cache-Control"]
        return response.status


async def test_logout_at_the_provider_ends_at_once(
    system: System, directory: Directory, sonos: Sonos
) -> None:
    """200, and the next call says AuthTokenExpired; the same token again is refused and ends nothing new."""
    pair = await linked(sonos, system, directory)
    token = directory.logout_token("ann")
    first = await log_out(system, sonos.http, token)
    await system.until_all_grants_ended()
    ended = await sonos.root(pair)
    again = await linked(sonos, system, directory)
    replayed = await log_out(system, sonos.http, token)

    assert [200, 400] == [first, replayed]
    assert "Client.AuthTokenExpired" == ended.fault
    assert (await sonos.root(again)).fault is None


Forged = Callable[[Directory], object]


@pytest.mark.parametrize(
    "forge",
    [
        lambda directory: directory.logout_token("ann", iss="https://evil.example.com"),
        lambda directory: directory.logout_token("ann", aud="somebody-else"),
        lambda directory: directory.logout_token("ann", exp=1_700_000_000),
        lambda directory: directory.logout_token("ann", iat=1_700_000_000),
        lambda directory: directory.logout_token("ann", iat=None),
        lambda directory: directory.logout_token("ann", jti=None),
        lambda directory: directory.logout_token("ann", events={}),
        lambda directory: directory.logout_token("ann", events=None),
        lambda directory: directory.logout_token("ann", nonce="nonce"),
        lambda directory: directory.logout_token("ann", signed_by=directory.stranger),
        lambda directory: directory.logout_token(None, sid="session-1"),
        lambda directory: directory.logout_token(None),
        lambda directory: directory.signed_with_the_public_key("ann"),
        lambda directory: directory.unsigned("ann"),
        lambda directory: directory.token("ann"),
        lambda _: "nonsense",
        lambda _: "",
        lambda _: "x" * 20_000,
    ],
)
async def test_logout_token_that_is_not_to_be_believed(
    running: System, directory: Directory, sonos: Sonos, forge: Forged
) -> None:
    """400, and the household goes on."""
    pair = await linked(sonos, running, directory)

    assert 400 == await log_out(running, sonos.http, forge(directory))
    assert (await sonos.root(pair)).fault is None


async def test_logout_requests_that_are_none(running: System, http: aiohttp.ClientSession) -> None:
    """Other providers, other methods, other forms."""
    there = f"{running.gateways[0]}/backchannel"
    seen = []
    for method, path, sent in (
        ("POST", "/other", {"data": {"logout_token": "x"}}),
        ("GET", "/acme", {}),
        ("POST", "/acme", {"json": {"logout_token": "x"}}),
        ("POST", "/acme", {"data": {"token": "x"}}),
        ("POST", "/acme", {"data": [("logout_token", "x"), ("logout_token", "y")]}),
    ):
        async with http.request(method, there + path, **sent) as response:
            seen.append(response.status)

    assert [404, 405, 400, 400, 400] == seen


async def tell(
    system: System,
    http: aiohttp.ClientSession,
    body: object = None,
    *,
    secret: str = SECRET,
    age: int = 0,
    nonce: str = "nonce-of-16-characters",
    **changes: str,
) -> tuple[int, object]:
    """Say that an account was disabled, as docs/account-lifecycle.md describes it; *changes* are other headers."""
    content = json.dumps(body or {"provider": "acme", "subject": "ann"}).encode()
    timestamp = str(int(time.time()) - age)
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP: timestamp,
        NONCE: nonce,
        SIGNATURE: signature(secret.encode(), timestamp=timestamp, nonce=nonce, body=content),
    } | changes
    url = f"{system.gateways[-1]}/events/account.disabled"
    async with http.post(url, data=content, headers=headers) as response:
        return response.status, await response.json()


async def test_disabled_account_ends_at_once(system: System, directory: Directory, sonos: Sonos) -> None:
    """Told by the service, by either secret; the same request again ends nothing; somebody unknown is no error."""
    pair = await linked(sonos, system, directory)
    # A captured request is the same, byte for byte.
    stamp, nonce = str(int(time.time())), "the-same-nonce-as-before"
    told = await _exactly(system, sonos.http, stamp, nonce)
    await system.until_all_grants_ended()
    ended = await sonos.root(pair)
    again = await linked(sonos, system, directory)
    replayed = await _exactly(system, sonos.http, stamp, nonce)
    unknown = await tell(
        system, sonos.http, {"provider": "acme", "subject": "nobody"}, secret=NEXT_SECRET, nonce="n" * 16
    )

    assert (200, {"repeated": False}) == told
    assert "Client.AuthTokenExpired" == ended.fault
    assert (200, {"repeated": True}) == replayed
    assert (200, {"repeated": False}) == unknown
    assert (await sonos.root(again)).fault is None


async def _exactly(
    system: System, http: aiohttp.ClientSession, timestamp: str, nonce: str
) -> tuple[int, object]:
    body = {"provider": "acme", "subject": "ann"}
    signed = signature(SECRET.encode(), timestamp=timestamp, nonce=nonce, body=json.dumps(body).encode())
    return await tell(system, http, body, nonce=nonce, **{TIMESTAMP: timestamp, SIGNATURE: signed})


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"secret": "canary-secret-of-somebody-else-of-32"}, 401),
        ({"age": 301 + 60}, 401),
        ({"age": -301 - 60}, 401),
        ({"nonce": "short"}, 401),
        ({"nonce": "with.a.dot.in.it.and.long"}, 401),
        ({SIGNATURE: ""}, 401),
        ({SIGNATURE: "v1=" + "0" * 64}, 401),
        ({SIGNATURE: hashlib.sha256(b"").hexdigest()}, 401),
        ({TIMESTAMP: "1"}, 401),
        ({TIMESTAMP: "now"}, 401),
        ({TIMESTAMP: "9" * 40}, 401),
        ({NONCE: "another-nonce-of-16-characters"}, 401),
        ({"body": {"subject": ""}}, 400),
        ({"body": {"subject": "ann", "provider": "unknown"}}, 400),
        ({"body": {"subject": "ann", "surprise": 1}}, 400),
        ({"body": ["ann"]}, 400),
        ({"body": {"subject": "x" * 70_000}}, 413),
    ],
)
async def test_events_that_are_not_in_order(
    running: System, directory: Directory, sonos: Sonos, changes: dict[str, object], status: int
) -> None:
    """Forged, old, from the future, changed on the way, or not understood: nothing ends."""
    pair = await linked(sonos, running, directory)
    if status == 413:
        with pytest.raises(aiohttp.ContentTypeError):
            await tell(running, sonos.http, **changes)
    else:
        assert status == (await tell(running, sonos.http, **changes))[0]
    assert (await sonos.root(pair)).fault is None


async def test_tokens_and_secrets_stay_out_of_the_logs(
    embedded: System, directory: Directory, sonos: Sonos
) -> None:
    """Neither what is asked with, nor what is told, nor who it is about."""
    pair = await linked(sonos, embedded, directory)
    await refreshed(sonos, embedded, pair)
    await until(embedded, "SELECT 1 FROM account_checks WHERE claim IS NULL")
    tokens = [directory.logout_token("canary-subject"), directory.logout_token("ann", aud="x")]
    for token in tokens:
        await log_out(embedded, sonos.http, token)
    await tell(embedded, sonos.http, {"subject": "canary-subject"})
    await tell(embedded, sonos.http, secret="canary-secret-of-somebody-else-of-32")
    logged = embedded.logs()

    assert "account event" in logged
    assert [] == [
        secret
        for secret in (*tokens, *directory.live, *directory.used, SECRET, NEXT_SECRET, "canary-subject")
        if secret in logged
    ]
