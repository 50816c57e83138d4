"""How long a gateway holds a request, believes what it knows, and tells others to wait: by a clock that goes when the test says so."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import ClientResponse

from gateway import __main__ as gateway
from gateway import account_events, logins, oauth
from gateway.api import back_end, cors, links
from gateway.operations import linking, sessions, upgrades
from gateway.operations.request import Request
from gateway.pages import destinations, entry, household_entry, rendering, round_trip, views
from gateway.pages.destinations import Destinations
from gateway.results import Expectation
from gateway.smapi.credentials import Credentials
from gateway.smapi.envelope import Call
from shared.admin import Admin
from shared.domain.errors import SignInRefused, TryAgainLater
from shared.domain.token import TokenClaims
from shared.domain.visit import Purpose
from shared.messages import (
    CredentialsJudged,
    Event,
    HouseholdLoginSubmitted,
    LinkLoginSubmitted,
    SessionRequested,
    UpgradeRequested,
    Verdict,
)
from shared.storage.providers import ProviderMetadataView
from shared.tokens import sign
from tests.contract.conftest import PATIENCE
from tests.play.alone import Alone, KeepingBus, settle, standing_alone
from tests.play.ports import free_port
from tests.store_samples import GRANT, METADATA, insert_grant, open_stores

KEY = "canary-key-of-the-back-end"
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()
PAGE = "https://app.example.com"
SETTINGS: dict[str, object] = {
    "providers": {
        "local": {"type": "local"},
        "acme": {"type": "oidc", "issuer": "https://acme.example", "client_id": "latchkey"},
        "codes": {
            "type": "oauth2",
            "client_id": "latchkey",
            "authorization_endpoint": "https://codes.example/authorize",
            "token_endpoint": "https://codes.example/token",
            "userinfo_endpoint": "https://codes.example/me",
        },
        "corp": {"type": "oidc", "issuer": METADATA.issuer, "client_id": "latchkey"},
    },
    "services": {"default": {"typed_codes": True, "app": {"origins": [PAGE]}}},
    "link": {"lifetime": 3600},
    "account_events": {"backchannel_logout": ["acme"]},
    "api_keys": {"default": {"secret_sha256": DIGEST}},
    "api_clients": {"backend": {"secret_sha256": DIGEST, "roles": ["revoke"]}},
}


@pytest.fixture
async def alone(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Alone]:
    async with standing_alone(tmp_path, sqlite_url, **SETTINGS) as alone:
        yield alone


async def ask(alone: Alone, path: str, **sent: object) -> ClientResponse:
    """Send a form, a body in JSON or, with neither, a GET; {code} in the path is a link code, {link} its link."""
    new = linking.new_code("default", alone.context)
    if isinstance(form := sent.get("data"), dict) and "purpose" in form:
        purpose = form.pop("purpose").replace("{link}", new.verified.link_id)
        form["form_token"] = alone.form_token(purpose)
    method = "POST" if sent.keys() & {"data", "json"} else "GET"
    headers = {"Authorization": f"Bearer {KEY}"} if "json" in sent else {}
    async with alone.http.request(
        method, path.replace("{code}", new.code), headers=headers, allow_redirects=False, **sent
    ) as response:
        await response.read()
        return response


LOGIN = {"provider": "local", "name": "zoe", "password": "x"}


@pytest.mark.parametrize(
    ("path", "sent", "seconds", "status"),
    [
        ("/backchannel/acme", {"data": {"logout_token": "x"}}, account_events.RESULT_SECONDS, 503),
        ("/api/links", {"json": {"householdId": "h", "subject": "s"}}, back_end.RESULT_SECONDS, 201),
        ("/api/users/hash", {"json": {"subject": "s"}}, back_end.RESULT_SECONDS, 503),
        ("/api/links/{code}/approve", {"json": {"subject": "s"}}, links.APPROVED_SECONDS, 503),
        ("/api/links/{code}/decline", {"json": {}}, links.DECLINED_SECONDS, 503),
        ("/enter", {"data": {"purpose": "enter default", "code": "B" * 8}}, entry.RESULT_SECONDS, 303),
        ("/link/{code}/sign-in", {"data": {"purpose": "{link}", **LOGIN}}, views.RESULT_SECONDS, 303),
        (
            "/household/default/sign-in",
            {"data": {"purpose": f"household default {Purpose.HOUSEHOLD} ", **LOGIN}},
            household_entry.RESULT_SECONDS,
            303,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_nobody_is_held_for_longer(
    alone: Alone,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    sent: dict[str, dict[str, str]],
    seconds: float,
    status: int,
) -> None:
    """All of the time that there is passes, since nobody answers, and then the gateway does."""
    wait = Expectation.wait

    async def passing(self: Expectation, seconds: float) -> Event | None:
        alone.clock.passed += seconds
        return await wait(self, 0)

    monkeypatch.setattr(Expectation, "wait", passing)
    response = await ask(alone, path, **{how: dict(fields) for how, fields in sent.items()})

    assert (status, seconds, 1) == (response.status, alone.clock.passed, len(alone.bus.sent))


async def test_result_that_does_not_come_is_none() -> None:
    """Also where there is no time at all."""
    assert await Expectation().wait(0) is None


async def test_end_waits_for_requests_no_longer_than_it_may(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that would be held for much longer ends with its connection, and the process with it."""
    monkeypatch.setattr(gateway, "SHUTDOWN_SECONDS", 0.01)
    monkeypatch.setattr(account_events, "RESULT_SECONDS", 10 * PATIENCE)
    address, stop, held = f"127.0.0.1:{free_port()}", asyncio.Event(), asyncio.Event()
    settings, _ = settle(tmp_path, sqlite_url, listen=address, **SETTINGS)
    async with KeepingBus() as bus, aiohttp.ClientSession() as http, asyncio.timeout(PATIENCE):
        bus.told = lambda _: held.set()
        admin = Admin()
        working = asyncio.create_task(gateway.work(settings, bus, admin, stop))
        while "requests" not in admin.health.fit or await admin.health.fit["requests"]():
            await asyncio.sleep(0.001)
        asking = asyncio.create_task(
            http.post(f"http://{address}/backchannel/acme", data={"logout_token": "x"})
        )
        await held.wait()
        stop.set()
        await working
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await asking


async def test_who_tells_of_an_end_is_told_to_come_again(alone: Alone) -> None:
    """While the broker is away."""
    alone.bus.is_away = True
    response = await ask(alone, "/backchannel/acme", data={"logout_token": "x"})

    assert (503, str(account_events.RETRY_SECONDS)) == (response.status, response.headers["Retry-After"])


async def test_client_is_told_to_come_again(alone: Alone, sqlite_url: str) -> None:
    """While the broker is away, and there is something to revoke."""
    async with open_stores(sqlite_url) as stores:
        await insert_grant(stores, replace(GRANT, expires_at=alone.clock.now() + 600))
    claims = TokenClaims(
        issuer=alone.context.settings.issuer,
        service="default",
        account_id=GRANT.account_id,
        grant_id=GRANT.grant_id,
        family=GRANT.family,
        generation=GRANT.generation,
        issued_at=GRANT.issued_at,
        expires_at=alone.clock.now() + 600,
    )
    token = sign(claims, alone.keys.token_worker.signing[0])
    alone.bus.is_away = True
    form = {"client_id": "backend", "client_secret": KEY, "token": token}
    response = await ask(alone, "/oauth/revoke", data=form)

    assert (503, str(oauth.RETRY_SECONDS)) == (response.status, response.headers.get("Retry-After"))


async def test_preflight_is_remembered_for_a_while(alone: Alone) -> None:
    """By browsers that show a page which may call; others are told of nothing to remember."""
    seen = []
    for origin in (PAGE, "https://evil.example.com"):
        async with alone.http.options("/api/links/x", headers={"Origin": origin}) as response:
            seen.append(response.headers.get("Access-Control-Max-Age"))

    assert [str(cors.REMEMBERED_SECONDS), None] == seen


@pytest.mark.parametrize(
    ("path", "purpose", "kind"),
    [
        ("/link/{code}", "{link} codes", LinkLoginSubmitted),
        ("/household/default", f"household default {Purpose.HOUSEHOLD}  codes", HouseholdLoginSubmitted),
    ],
    ids=["link", "household"],
)
async def test_way_to_a_provider_may_take_its_time(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, path: str, purpose: str, kind: type[Event]
) -> None:
    """Until the last second a browser may come back with its code; after it, nothing is made of that."""
    for module in (views, household_entry):
        monkeypatch.setattr(module, "RESULT_SECONDS", 0)
    new = linking.new_code("default", alone.context)
    token = alone.form_token(purpose.replace("{link}", new.verified.link_id))
    way = await ask(alone, f"{path.replace('{code}', new.code)}/with/codes?token={token}")
    (state,) = re.findall(r"[?&]state=([^&]+)", way.headers["Location"])
    seen = []
    for alone.clock.passed in (round_trip.STATE_SECONDS, round_trip.STATE_SECONDS - 1):
        came = await ask(alone, f"/callback/codes?state={state}&code=x")
        seen.append((came.status, [type(event) for event in alone.bus.sent]))

    assert [(400, []), (303, [kind])] == seen


class Providers:
    """A store in which a provider is as old as a test says; counts how often it is asked."""

    def __init__(self) -> None:
        self.age, self.asked = 0, 0

    async def provider_metadata(self, _: str) -> ProviderMetadataView:
        self.asked += 1
        return ProviderMetadataView(metadata=METADATA, age=self.age)


async def test_addresses_of_a_provider_are_remembered_for_a_minute(alone: Alone) -> None:
    """And asked for again when it is over."""
    store = Providers()
    found = Destinations(replace(alone.context, store=store))  # type: ignore[arg-type]
    asked = []
    for seconds in (0.0, destinations.REMEMBERED_SECONDS - 0.1, destinations.REMEMBERED_SECONDS):
        alone.clock.passed = seconds
        await found.find("corp")
        asked.append(store.asked)

    assert [1, 1, 2] == asked


async def test_nobody_is_sent_to_a_provider_that_was_not_reached_for_long(alone: Alone) -> None:
    """auth_worker could not sign them in when they came back."""
    store, found = Providers(), []
    for store.age in (destinations.TOO_OLD_SECONDS, destinations.TOO_OLD_SECONDS + 1):
        there = await Destinations(replace(alone.context, store=store)).find("corp")  # type: ignore[arg-type]
        found.append(there is not None)

    assert [True, False] == found


async def test_waiting_page_asks_again(alone: Alone) -> None:
    """By itself, after a moment; a page that waits for nothing does not."""
    waiting, over = await ask(alone, "/link/{code}"), await ask(alone, "/link/nobody")

    assert (str(rendering._WAITING_SECONDS), None) == (
        waiting.headers.get("Refresh"),
        over.headers.get("Refresh"),
    )


async def test_choice_of_a_language_is_kept(alone: Alone) -> None:
    """For a year."""
    response = await ask(alone, "/enter?lang=sv")

    assert str(rendering._COOKIE_SECONDS) == response.cookies["latchkey-language"]["max-age"]


async def test_household_page_waits_for_a_row_that_may_still_come(alone: Alone) -> None:
    """Until it may not any more: then it is the way in, as without an attempt."""
    visit, path = (
        {f"latchkey-{Purpose.HOUSEHOLD}-default": "s" * 32},
        f"/household/default?attempt={alone.clock.now()}",
    )
    seen = []
    for alone.clock.passed in (household_entry.PATIENCE_SECONDS - 1, household_entry.PATIENCE_SECONDS):
        response = await ask(alone, path, cookies=visit)
        seen.append((response.status, "Refresh" in response.headers))

    assert [(200, True), (200, False)] == seen


async def test_wrong_password_is_refused_without_asking(sqlite_url: str, tmp_path: Path) -> None:
    """For a minute; then it is asked again whether it is still wrong."""
    async with standing_alone(tmp_path, sqlite_url, services={"default": {"auth": "stateless"}}) as alone:

        def judge(event: Event) -> None:
            assert isinstance(event, SessionRequested)
            alone.context.results.receive(
                CredentialsJudged(
                    service=event.service, request_id=event.session_hash, verdict=Verdict.REFUSED
                )
            )

        alone.bus.told = judge
        request = _request(alone, Credentials(username="zoe", password="wrong", household_id="Sonos_1"))
        asked = []
        for alone.clock.passed in (0.0, logins.REFUSAL_SECONDS - 0.1, logins.REFUSAL_SECONDS):
            with pytest.raises(SignInRefused):
                await sessions.by_login(request, alone.context)
            asked.append(len(alone.bus.sent))

    assert [1, 1, 2] == asked


async def test_upgrade_is_the_same_request_for_a_while(sqlite_url: str, tmp_path: Path) -> None:
    """Asked again within its period it has the same name, so that it is done once; in the next it has another."""
    service, seconds = {"upgrade_from": ["session_id"]}, upgrades.SAME_SECONDS
    async with standing_alone(
        tmp_path, sqlite_url, services={"default": service}, sessions={"timeout": 0.001}
    ) as alone:
        begins = seconds - alone.clock.now() % seconds
        request = _request(alone, Credentials(session_id="s", household_id="Sonos_1"))
        for alone.clock.passed in (begins, begins + seconds - 1, begins + seconds):
            with pytest.raises(TryAgainLater):
                await upgrades.pair_for(request, alone.context)
        first, again, later = (
            event.request_id for event in alone.bus.sent if isinstance(event, UpgradeRequested)
        )

    assert (True, False) == (first == again, first == later)


def _request(alone: Alone, credentials: Credentials) -> Request:
    return Request(
        call=Call(method="getMetadata", arguments={}, credentials=credentials),
        service="default",
        settings=alone.context.settings.services["default"],
        correlation_id="c",
    )
