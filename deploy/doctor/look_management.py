"""Looks at what a broker shows by its management plugin alone: policies and alarms."""

from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from deploy.doctor.seen import ManagementFacts, Policy, Unseen

PATIENCE = aiohttp.ClientTimeout(total=10)
LARGEST_ANSWER = 1 << 22
NOT_TOLD = Unseen(reason="say where the broker's management plugin is: --management URL", is_failure=False)


class _Refused(Exception):
    """The plugin did not say; the message says why."""


async def look_at_management(address: str | None, broker_url: str) -> ManagementFacts | Unseen:
    """Look at the policies of our virtual host, and at alarms, as the user of the broker's URL."""
    if address is None:
        return NOT_TOLD
    broker = URL(broker_url)
    vhost = quote(broker.path.removeprefix("/") or "/", safe="")
    who = aiohttp.encode_basic_auth(broker.user or "guest", broker.password or "guest")
    try:
        async with aiohttp.ClientSession(headers={"Authorization": who}, timeout=PATIENCE) as http:
            policies = [
                _policy(each, by_operator=by_operator)
                for kind, by_operator in (("policies", False), ("operator-policies", True))
                for each in await _ask(http, f"{address.rstrip('/')}/api/{kind}/{vhost}")
            ]
            alarms = await _ask(http, f"{address.rstrip('/')}/api/health/checks/alarms")
    except _Refused as refused:
        return Unseen(reason=str(refused), is_failure=True)
    return ManagementFacts(
        policies=tuple(policies),
        alarms=tuple(sorted({str(each.get("resource")) for each in alarms.get("alarms", ())})),
    )


async def _ask(http: aiohttp.ClientSession, address: str) -> Any:
    """Return what the plugin answers, an alarm's 503 included.

    Raises:
        _Refused: it is not there, does not let us in, or speaks of something else.
    """
    try:
        async with http.get(URL(address, encoded=True), allow_redirects=False) as answer:
            body, status = await answer.content.read(LARGEST_ANSWER), answer.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise _Refused(f"{address} does not answer ({type(error).__name__})") from None
    if status in {401, 403}:
        raise _Refused(
            f"{address} answers {status}: the broker's user needs the tag `monitoring`, as latchkey_monitor has it"
        )
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError:
        raise _Refused(f"{address} answers {status}, and nothing that this plugin says") from None


def _policy(found: Any, *, by_operator: bool) -> Policy:
    return Policy(
        name=str(found["name"]),
        pattern=str(found["pattern"]),
        applies_to=str(found["apply-to"]),
        priority=int(found["priority"]),
        by_operator=by_operator,
        definition=dict(found["definition"]),
    )
