"""Tokens elsewhere: introspection, revocation and forward-auth, as content servers and back ends use them."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import aiohttp
import pytest

from tests.e2e.conftest import start_separately, started
from tests.e2e.test_link import link_household
from tests.play.backend import SECRET, Backend, basic
from tests.play.database import execute
from tests.play.operator import System, add_account, deployment
from tests.play.past import stale_token
from tests.play.person import Person
from tests.play.sonos import HOUSEHOLD, Pair, Sonos
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer

CLIENTS = f"""
[services.default]
[services.other]
title = "Other"

[api_clients.backend]
secret_sha256 = "{hashlib.sha256(SECRET.encode()).hexdigest()}"
roles = ["introspect", "revoke"]

[api_clients.content]
secret_sha256 = "{hashlib.sha256(SECRET.encode()).hexdigest()}"
roles = ["introspect"]

[api_clients.stranger]
secret_sha256 = "{hashlib.sha256(SECRET.encode()).hexdigest()}"
roles = ["introspect", "revoke"]
may_act_for = ["other"]
"""
INACTIVE = {"active": False}


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A settings file with API clients."""
    path = tmp_path / "latchkey.toml"
    path.write_text(CLIENTS)
    return str(path)


@pytest.fixture
async def embedded(sqlite_url: str, tmp_path: Path, config: str) -> AsyncIterator[System]:
    """One process that knows API clients."""
    async with started(tmp_path, sqlite_url, LATCHKEY_CONFIG=config) as system:
        yield system


@pytest.fixture
async def pair(embedded: System, sonos: Sonos, person: Person) -> Pair:
    """What Sonos got for a household."""
    return await link_household(sonos, person)


@pytest.fixture
def backend(embedded: System, http: aiohttp.ClientSession) -> Backend:
    """The service's back end."""
    return Backend(http, embedded.gateways[0])


async def test_active_token_is_described(embedded: System, pair: Pair, backend: Backend) -> None:
    """Whose it is, for which household, and for how long (RFC 7662, section 2.2)."""
    said = await backend.ask("introspect", pair.token)
    ((grant_id, account_id, issued, expires),) = await execute(
        embedded.database_url, "SELECT grant_id, account_id, issued_at, expires_at FROM grants"
    )
    expected = {
        "active": True,
        "sub": account_id,
        "iss": embedded.gateways[0].removeprefix("http://"),
        "aud": "default",
        "exp": expires,
        "iat": issued,
        "token_type": "Bearer",
        "username": "ann",
        "household_id": HOUSEHOLD,
        "grant_id": grant_id,
    }

    assert (200, expected) == (said.status, said.json)
    assert "no-store" == said.headers["Cache-Control"]


async def test_client_may_authenticate_in_the_form(pair: Pair, backend: Backend) -> None:
    """The other way of RFC 6749, section 2.3.1; the hint about the kind of token is ignored."""
    form = {"client_id": "backend", "client_secret": SECRET, "token": pair.token, "token_type_hint": "x"}
    said = await backend.post("introspect", form)

    assert 200 == said.status
    assert INACTIVE != said.json


async def test_what_is_not_valid_is_inactive_and_nothing_else(
    embedded: System, sonos: Sonos, pair: Pair, backend: Backend
) -> None:
    """Forged, of another service, stale, of a disabled account, revoked: all the same answer."""
    asked = [
        await backend.ask("introspect", "nonsense"),
        await backend.ask("introspect", pair.token[:-4] + "AAAA"),
        await backend.ask("introspect", "x" * 5000),
        await Backend(backend.http, backend.gateway, "stranger").ask("introspect", pair.token),
    ]
    await execute(embedded.database_url, "UPDATE accounts SET status = 'disabled'")
    asked.append(await backend.ask("introspect", pair.token))
    await execute(embedded.database_url, "UPDATE accounts SET status = 'active'")
    asked.append(await backend.ask("introspect", await stale_token(embedded)))
    await backend.ask("revoke", pair.token)
    asked.append(await backend.ask("introspect", pair.token))

    assert [(200, INACTIVE)] * 7 == [(said.status, said.json) for said in asked]


@pytest.mark.parametrize("call", ["introspect", "revoke"])
async def test_bad_client_is_refused(pair: Pair, backend: Backend, call: str) -> None:
    """Wrong secret, unknown name, nobody: 401, and how to authenticate."""
    form = {"token": pair.token}
    asked = [
        await backend.ask(call, pair.token, secret="wrong"),
        await Backend(backend.http, backend.gateway, "nobody").ask(call, pair.token),
        await backend.post(call, form),
        await backend.post(call, form, Authorization="Basic !"),
        await backend.post(call, form, Authorization=f"Bearer {pair.token}"),
        await backend.post(call, form | {"client_id": "backend", "client_secret": "wrong"}),
    ]

    assert [(401, {"error": "invalid_client"})] * 6 == [(said.status, said.json) for said in asked]
    assert {'Basic realm="latchkey"'} == {said.headers["WWW-Authenticate"] for said in asked}


async def test_malformed_request_is_told_so(pair: Pair, backend: Backend) -> None:
    """No token, two tokens, two ways to authenticate, not a form, an unknown charset."""
    known = basic("backend", SECRET)
    twice = [("token", pair.token), ("token", "another")]
    asked = [
        await backend.post("introspect", {}, Authorization=known),
        await backend.post("introspect", twice, Authorization=known),
        await backend.post("introspect", {"token": "t", "client_secret": SECRET}, Authorization=known),
        await backend.post("introspect", b"token=t", Authorization=known),
        await backend.post(
            "introspect",
            b"token=t",
            Authorization=known,
            **{"Content-Type": "application/x-www-form-urlencoded; charset=nonsense"},
        ),
    ]

    assert [(400, {"error": "invalid_request"})] * 5 == [(said.status, said.json) for said in asked]


async def test_client_without_the_role_may_not(sonos: Sonos, pair: Pair, backend: Backend) -> None:
    """Who may only ask cannot end anything."""
    said = await Backend(backend.http, backend.gateway, "content").ask("revoke", pair.token)

    assert (403, {"error": "unauthorized_client"}) == (said.status, said.json)
    assert (await sonos.root(pair)).fault is None


async def test_revoked_token_is_over_when_the_answer_comes(
    embedded: System, sonos: Sonos, pair: Pair, backend: Backend
) -> None:
    """Sonos is asked to link again from then on; revoking again, or nonsense, is 200 as well (RFC 7009)."""
    first = await backend.ask("revoke", pair.token)
    answer = await sonos.root(pair)
    others = [await backend.ask("revoke", token) for token in (pair.token, "nonsense")]
    reasons = await execute(
        embedded.database_url, "SELECT detail FROM audit_events WHERE kind = 'grant.revoked'"
    )

    assert [200] * 3 == [said.status for said in (first, *others)]
    assert "Client.AuthTokenExpired" == answer.fault
    assert [('{"family": 1, "generation": 1, "reason": "api client backend"}',)] == reasons


async def test_old_token_does_not_end_a_new_link(
    sonos: Sonos, person: Person, pair: Pair, backend: Backend
) -> None:
    """The household has linked again since: revoking the token of before is 200 and harms nobody."""
    new = await link_household(sonos, person)
    said = await backend.ask("revoke", pair.token)

    assert 200 == said.status
    assert (await sonos.root(new)).fault is None


async def test_client_of_another_service_ends_nothing(sonos: Sonos, pair: Pair, backend: Backend) -> None:
    """A token of a service it may not act for is unknown to it."""
    said = await Backend(backend.http, backend.gateway, "stranger").ask("revoke", pair.token)

    assert 200 == said.status
    assert (await sonos.root(pair)).fault is None


async def test_proxy_lets_a_token_through_with_its_identity(
    embedded: System, pair: Pair, backend: Backend
) -> None:
    """Account, household, tier and nickname, percent-encoded where they are not ASCII; with either way to name the service."""
    await execute(
        embedded.database_url,
        "UPDATE accounts SET nickname = :name, tier = 'paidPremium'",
        name="Zoë 100% 🎷",
    )
    ((account_id,),) = await execute(embedded.database_url, "SELECT account_id FROM accounts")
    asked = [
        await backend.verify(f"Bearer {pair.token}", path=path)
        for path in ("/verify", "/verify/default", "/verify?service=default")
    ]
    headers = asked[0].headers

    assert [(200, "")] * 3 == [(said.status, said.text) for said in asked]
    assert (account_id, HOUSEHOLD, "paidPremium") == (
        headers["Latchkey-Account"],
        headers["Latchkey-Household"],
        headers["Latchkey-Tier"],
    )
    assert "Zoë 100% 🎷" == unquote(headers["Latchkey-Nickname"])
    assert headers["Latchkey-Nickname"].isascii()


async def test_proxy_stops_everything_else(embedded: System, pair: Pair, backend: Backend) -> None:
    """No token, two, too long, another scheme, another service, forged, stale, revoked: 401 without a word."""
    good = f"Bearer {pair.token}"
    asked = [
        await backend.verify(),
        await backend.verify(good, good),
        await backend.verify(f"Bearer {'x' * 5000}"),
        await backend.verify(f"Basic {pair.token}"),
        await backend.verify(good, path="/verify/other"),
        await backend.verify(good[:-4] + "AAAA"),
        await backend.verify(f"Bearer {await stale_token(embedded)}"),
    ]
    await backend.ask("revoke", pair.token)
    asked.append(await backend.verify(good))

    assert [(401, "", "Bearer")] * 8 == [
        (said.status, said.text, said.headers.get("WWW-Authenticate")) for said in asked
    ]
    assert not any(name.startswith("Latchkey") for said in asked for name in said.headers)


async def test_unknown_service_is_a_mistake_of_the_proxy(pair: Pair, backend: Backend) -> None:
    """404, so that it is noticed when the proxy is set up."""
    said = await backend.verify(f"Bearer {pair.token}", path="/verify/nobody")

    assert 404 == said.status


async def test_use_by_way_of_the_proxy_is_noted(embedded: System, pair: Pair, backend: Backend) -> None:
    """A player that only fetches media uses its token, too."""
    await backend.verify(f"Bearer {pair.token}")
    for process in embedded.processes:
        process.stop()
    rows = await execute(embedded.database_url, "SELECT seen_generation FROM grants")

    assert [(1,)] == rows


async def test_secrets_are_in_no_log(embedded: System, pair: Pair, backend: Backend) -> None:
    """Neither the client's secret nor the token it asked about."""
    for call in ("introspect", "revoke"):
        await backend.ask(call, pair.token)
        await backend.ask(call, pair.token, secret="canary-of-a-wrong-secret")

    assert "backend" in embedded.logs()
    assert "canary" not in embedded.logs()
    assert pair.token not in embedded.logs()


async def test_outages_are_not_the_callers_fault(
    own_postgres: PostgresServer, own_rabbit: RabbitServer, tmp_path: Path, config: str, person: Person
) -> None:
    """Broker away: nothing can be revoked, but asked; database away: nothing can be told. 503 for both, never 401."""
    from tests.conftest import _migrate

    url = own_postgres.migrated_database(_migrate)
    extra = {"LATCHKEY_CONFIG": config}
    with deployment(tmp_path, database_url=url, broker_url=own_rabbit.url, extra=extra) as system:
        await add_account(system)
        start_separately(system)
        await system.ready()
        pair = await link_household(Sonos(person.http, system.endpoint), person)
        backend = Backend(person.http, system.gateways[0])
        own_rabbit.stop()
        without_broker = [
            await backend.ask("revoke", pair.token),
            await backend.ask("introspect", pair.token),
            await backend.verify(f"Bearer {pair.token}"),
        ]
        own_postgres.stop()
        without_database = [
            await backend.ask("revoke", pair.token),
            await backend.ask("introspect", pair.token),
            await backend.verify(f"Bearer {pair.token}"),
        ]
        own_postgres.start()
        own_rabbit.start()
        await system.ready()
        after = [await backend.ask("revoke", pair.token), await backend.ask("introspect", pair.token)]

    assert [503, 200, 200] == [said.status for said in without_broker]
    assert [503, 503, 503] == [said.status for said in without_database]
    assert [(200, {}), (200, INACTIVE)] == [(said.status, said.json) for said in after]
