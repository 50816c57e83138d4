"""The try-out page: plays the Sonos app against this gateway, so that a link can be walked through without a speaker.

Embedded and development only (`demo` in the settings). What it sends are real SMAPI requests, through the same door as
Sonos's; it knows nothing that Sonos would not know.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from gateway.context import GatewayContext
from gateway.endpoint import Asked, answer
from gateway.pages.rendering import page, see_other
from gateway.smapi.methods import NAMESPACE

SERVICE = "default"
HOUSEHOLD = "Sonos_tryoutHouseholdOfNobody"

_VALUE = re.compile(r"[a-z0-9]{1,64}")
_SECRETS = ("authToken", "privateKey", "token", "linkCode", "linkDeviceId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One SMAPI call as the page shows it, secrets masked."""

    method: str
    sent: str
    received: str
    status: int


class TryOut:
    """Two requests: begin a link, and show how it stands."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def start(self, _: web.Request) -> web.StreamResponse:
        """Ask for a link code as the Sonos app does, and go on to the page that polls with it."""
        began, received = await self._call("getAppLink", _APP_LINK)
        values = {name: _value_of(received, name) for name in ("linkCode", "linkDeviceId")}
        if not all(values.values()):
            return page("try_out", self._context.settings.services[SERVICE], _values("", [began]))
        return see_other("/?" + urlencode(values))

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Explain, and once a link has begun, poll with it and show what Sonos would see."""
        code, device = (_checked(request.query.get(name, "")) for name in ("linkCode", "linkDeviceId"))
        exchanges = await self._poll(code, device) if code else []
        return page("try_out", self._context.settings.services[SERVICE], _values(code, exchanges))

    async def _poll(self, code: str, device: str) -> list[Exchange]:
        arguments = (
            f"<householdId>{HOUSEHOLD}</householdId><linkCode>{code}</linkCode>"
            f"<linkDeviceId>{device}</linkDeviceId>"
        )
        polled, received = await self._call("getDeviceAuthToken", arguments)
        token = _value_of(received, "authToken")
        if not token:
            return [polled]
        arguments = "<id>root</id><index>0</index><count>100</count>"
        browsed, _ = await self._call("getMetadata", arguments, token)
        return [polled, browsed]

    async def _call(self, method: str, arguments: str, token: str = "") -> tuple[Exchange, str]:
        sent = _envelope(method, arguments, token)
        answered = await answer(
            Asked(
                service=SERVICE,
                body=sent.encode(),
                soap_action=f'"{NAMESPACE}#{method}"',
                authorization=None,
                accept_language=None,
            ),
            self._context,
        )
        if answered.rest is not None:
            # The beginning of a content server's long answer is all that is shown.
            answered.rest.close()
        received = answered.body.decode(errors="replace")
        exchange = Exchange(
            method=method, sent=_masked(sent), received=_masked(received), status=answered.status
        )
        return exchange, received


def _values(code: str, exchanges: Sequence[Exchange]) -> dict[str, object]:
    last = exchanges[-1] if exchanges else None
    return {
        "code": code,
        "pending": last is not None and "NOT_LINKED_RETRY" in last.received,
        "linked": last is not None and last.method == "getMetadata",
        "exchanges": exchanges,
    }


_APP_LINK = (
    f"<householdId>{HOUSEHOLD}</householdId><hardware>Try-out page</hardware>"
    "<osVersion>1</osVersion><sonosAppName>Try-out</sonosAppName><callbackPath></callbackPath>"
)


def _envelope(method: str, arguments: str, token: str) -> str:
    login = f"<loginToken><token>{token}</token><householdId>{HOUSEHOLD}</householdId></loginToken>"
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
        f'<credentials xmlns="{NAMESPACE}"><deviceId>00-00-00-00-00-00:0</deviceId>'
        f"<deviceProvider>Sonos</deviceProvider>{login if token else ''}</credentials></s:Header>"
        f'<s:Body><{method} xmlns="{NAMESPACE}">{arguments}</{method}></s:Body></s:Envelope>'
    )


def _value_of(answer: str, name: str) -> str:
    found = re.search(rf"<ns:{name}>([^<]*)</ns:{name}>", answer)
    return found[1] if found else ""


def _checked(value: str) -> str:
    return value if _VALUE.fullmatch(value) else ""


def _masked(xml: str) -> str:
    for name in _SECRETS:
        xml = re.sub(rf"(<(?:ns:)?{name}>)([^<]{{0,6}})[^<]*(</)", r"\1\2…\3", xml)
    xml = re.sub(r"(/link/.{6})[^<]*", r"\1…", xml)
    return xml.replace("><", ">\n<")
