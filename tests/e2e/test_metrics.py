"""What a household's day looks like in the metrics."""

import asyncio
from pathlib import Path

import aiohttp

from tests.e2e.conftest import started
from tests.e2e.test_link import link_household
from tests.play.operator import PATIENCE
from tests.play.past import stale_token
from tests.play.person import Person
from tests.play.ports import free_port
from tests.play.sonos import Pair, Sonos
from tests.unit.shared.test_metrics import samples_of

ONCE = {
    "latchkey_smapi_call_seconds_count{method=getAppLink,outcome=ok}": "links begun",
    "latchkey_smapi_call_seconds_count{method=getDeviceAuthToken,outcome=ok}": "pairs delivered",
    "latchkey_smapi_call_seconds_count{method=getMetadata,outcome=Client.TokenRefreshRequired}": "stale tokens",
    "latchkey_smapi_call_seconds_count{method=other,outcome=Client.MethodNotSupported}": "made-up methods",
    "latchkey_refresh_seconds_count{outcome=delivered}": "successors",
    "latchkey_token_api_requests_total{call=verify,status=401}": "proxies that ask about nobody",
    "latchkey_token_api_requests_total{call=introspect,status=401}": "back ends that nobody knows",
    "latchkey_link_age_seconds_count{state=requested}": "rows of links",
    "latchkey_link_age_seconds_count{state=authenticated}": "people who signed in",
    "latchkey_link_age_seconds_count{state=linked}": "people who allowed",
    "latchkey_audit_events_total{kind=link.linked}": "audits of that",
    "latchkey_event_seconds_count{kind=link.requested,outcome=done}": "events of auth_worker",
    "latchkey_event_seconds_count{kind=link.approved,outcome=done}": "events of token_worker",
    "latchkey_broker_connected{}": "buses",
    "latchkey_build_info{version=0.1.0}": "versions",
}
NOT_YET = {
    "latchkey_audit_events_total{kind=token.reuse_detected}": "thefts",
    "latchkey_link_age_seconds_count{state=failed}": "links that failed",
    "latchkey_redeliveries_total{queue=token.mint}": "messages that came again",
}
"""A series that is born with its first event shows no increase: what an alert waits for is there before."""
LOOKED_AT = {
    f"latchkey_clock_offset_seconds{{service={service}}}"
    for service in ("gateway", "auth_worker", "token_worker")
}


async def test_day_of_a_household_is_counted(sqlite_url: str, tmp_path: Path, person: Person) -> None:
    """Each step once, in one process for all three services; and nothing of what was counted names anybody."""
    admin = f"127.0.0.1:{free_port()}"
    async with started(tmp_path, sqlite_url, LATCHKEY_ADMIN_LISTEN=admin) as system:
        sonos = Sonos(person.http, system.endpoint)
        pair = await link_household(sonos, person)
        await sonos.root(Pair(token=await stale_token(system), key=pair.key))
        await sonos.call("makeCoffee", pair=pair)
        await person.http.get(f"{system.gateways[0]}/verify")
        await person.http.post(f"{system.gateways[0]}/oauth/introspect", data={"token": pair.token})
        text = await until_counted(person.http, admin)
    found = samples_of(text)

    assert dict.fromkeys(ONCE, 1) == {name: found.get(name) for name in ONCE}
    assert dict.fromkeys(NOT_YET, 0) == {name: found.get(name) for name in NOT_YET}
    assert LOOKED_AT <= {name for name, value in found.items() if abs(value) <= 1}
    assert not [secret for secret in (sonos.household, pair.token, pair.key, "ann") if secret in text]


async def until_counted(http: aiohttp.ClientSession, admin: str) -> str:
    """Return the metrics when each step is among them: who has got an answer is ahead of what is counted behind it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            text = await scraped(http, admin)
            found = samples_of(text)
            if all(found.get(name) for name in ONCE):
                return text
            await asyncio.sleep(0.02)


async def scraped(http: aiohttp.ClientSession, admin: str) -> str:
    async with http.get(f"http://{admin}/metrics") as response:
        assert 200 == response.status
        return await response.text()
