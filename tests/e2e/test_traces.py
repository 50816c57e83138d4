"""One link is one trace, from the first call to the token, across all processes; and nothing in it opens anything."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from tests.canaries import Canaries, key_material
from tests.e2e.conftest import start_separately
from tests.play.collector import collecting
from tests.play.operator import add_account, deployment
from tests.play.past import stale_token
from tests.play.person import PASSWORD, Person
from tests.play.sonos import Pair, Sonos, pair_of

OF_A_LINK = [
    ("gateway", "smapi getAppLink"),
    ("gateway", "publish link.requested"),
    ("auth_worker", "handle link.requested"),
    ("gateway", "publish link.login_submitted"),
    ("auth_worker", "handle link.login_submitted"),
    ("auth_worker", "answer link.changed"),
    ("gateway", "publish link.approved"),
    ("token_worker", "handle link.approved"),
    ("token_worker", "answer link.changed"),
    ("gateway", "smapi getDeviceAuthToken"),
]
OF_A_REFRESH = [
    ("gateway", "smapi getMetadata"),
    ("gateway", "publish token.refresh_requested"),
    ("token_worker", "handle token.refresh_requested"),
    ("token_worker", "answer token.refreshed"),
]
ATTRIBUTES = {"latchkey.correlation_id", "latchkey.outcome"}


async def test_link_is_one_trace_that_opens_nothing(
    postgres_url: str, rabbit_url: str, tmp_path: Path, person: Person
) -> None:
    """After a wrong password, a link, a poll and a refresh: two whole traces, and no canary in any byte that was sent."""
    secrets = {"password": PASSWORD.encode(), "wrong password": b"canary-of-a-wrong-password"}
    async with collecting() as collector:
        extra = {"LATCHKEY_TRACES_URL": collector.url, "LATCHKEY_LOG_FORMAT": "json"}
        with deployment(tmp_path, database_url=postgres_url, broker_url=rabbit_url, extra=extra) as system:
            await add_account(system)
            start_separately(system)
            await system.ready()
            sonos = Sonos(person.http, system.endpoint)
            link = await sonos.get_app_link()
            await sonos.poll(link)
            await person.sign_in(link.reg_url, password=secrets["wrong password"].decode())
            await person.complete(link.reg_url)
            pair = pair_of(await sonos.poll(link))
            stale = Pair(token=await stale_token(system), key=pair.key)
            successor = pair_of(await sonos.root(stale))
            for process in system.processes:
                await asyncio.to_thread(process.stop)
            logged = {process.name: lines_of(process.log) for process in system.processes}
            secrets |= {
                "link code": link.code.encode(),
                "linkDeviceId": link.device_id.encode(),
                "authToken": pair.token.encode(),
                "privateKey": pair.key.encode(),
                "next authToken": successor.token.encode(),
                "next privateKey": successor.key.encode(),
                "household": sonos.household.encode(),
                **{f"cookie {cookie.key}": cookie.value.encode() for cookie in person.http.cookie_jar},
                **key_material(system.keys_dir),
            }
    canaries = Canaries(secrets)
    canaries.in_bytes("traces", b"".join(collector.bodies))
    traces = list(collector.traces.values())
    of_link = next(each for each in traces if any(span.name == OF_A_LINK[0][1] for _, span in each))
    of_refresh = next(each for each in traces if any(span.name == OF_A_REFRESH[0][1] for _, span in each))
    (first,) = [span for _, span in of_link if not span.parent_span_id]

    assert set(OF_A_LINK) <= {(service, span.name) for service, span in of_link}
    assert set(OF_A_REFRESH) == {(service, span.name) for service, span in of_refresh}
    assert ("smapi getAppLink", {first.span_id}) == (
        first.name,
        {span.parent_span_id for _, span in of_link if span is not first},
    )
    assert ATTRIBUTES == {each.key for _, span in collector.spans for each in span.attributes}
    assert {} == canaries.found
    # The log leads from the call to the worker by the id that the spans carry.
    (call,) = [line for line in logged["gateway-1"] if line.get("method") == "getAppLink"]
    (event,) = [line for line in logged["auth-worker"] if line.get("kind") == "link.requested"]
    (carried,) = [
        each.value.string_value for each in first.attributes if each.key == "latchkey.correlation_id"
    ]
    assert call["correlation_id"] == event["correlation_id"] == carried
    assert ("GET", "/link/{code}", 200) in {
        (line.get("method"), line.get("route"), line.get("status")) for line in logged["gateway-1"]
    }


def lines_of(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_nothing_of_it_is_loaded_when_nobody_asks() -> None:
    """Neither tracing nor Prometheus costs a process memory that shows neither."""
    code = (
        "import sys, deploy.embedded; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'opentelemetry', 'prometheus_client', 'requests'}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "[]" == loaded.stdout.strip()
