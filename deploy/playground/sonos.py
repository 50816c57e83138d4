"""The Sonos app, as far as it takes part: writes requests, sends them over HTTP, reads what it needs of the answers."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from gateway.smapi.methods import NAMESPACE
from shared.settings import split_address

PATIENCE = 25.0
"""Seconds; Sonos's own patience ends after 20."""
LARGEST_ANSWER = 64 * 1024
"""Bytes that are read of an answer; a content server's could be longer."""

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What Sonos keeps for a household."""

    token: str
    key: str

    def __repr__(self) -> str:
        return "Pair(***)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer; unmasked."""

    method: str
    request: str
    status: int
    answer: str

    def __getitem__(self, name: str) -> str:
        """Return the text of the first element of that name, empty if there is none."""
        found = re.search(rf"<(?:\w+:)?{name}(?:\s[^>]*)?>([^<]*)</", self.answer)
        return html.unescape(found[1]) if found else ""

    @property
    def fault(self) -> str:
        """Return the fault's code, empty if it is none."""
        return self["faultcode"]

    @property
    def pair(self) -> Pair | None:
        """Return the pair in a result or in a fault."""
        token = self["authToken"]
        return Pair(token=token, key=self["privateKey"]) if token else None


class Sonos:
    """One household's system."""

    def __init__(self, http: aiohttp.ClientSession, endpoint: str, household: str) -> None:
        self._http = http
        self.endpoint = endpoint
        self.household = household

    @property
    def path(self) -> str:
        """Return the endpoint's path."""
        return urlsplit(self.endpoint).path

    async def call(
        self, method: str, arguments: Mapping[str, str] | None = None, pair: Pair | None = None
    ) -> Exchange:
        """Send one request.

        Raises:
            aiohttp.ClientError, TimeoutError: the gateway does not answer.
        """
        body = self.envelope(method, arguments or {}, pair)
        headers = {"SOAPAction": f'"{NAMESPACE}#{method}"', "Content-Type": "text/xml; charset=utf-8"}
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with self._http.post(self.endpoint, data=body, headers=headers, timeout=timeout) as response:
            answer = b""
            async for part in response.content.iter_any():
                answer += part
                if len(answer) >= LARGEST_ANSWER:
                    break
            return Exchange(
                method=method,
                request=body,
                status=response.status,
                answer=answer[:LARGEST_ANSWER].decode(errors="replace"),
            )

    def envelope(self, method: str, arguments: Mapping[str, str], pair: Pair | None) -> str:
        """Write a request."""
        login = ""
        if pair:
            login = (
                f"<loginToken><token>{html.escape(pair.token)}</token><key>{html.escape(pair.key)}</key>"
                f"<householdId>{self.household}</householdId></loginToken>"
            )
        values = "".join(f"<{name}>{html.escape(value)}</{name}>" for name, value in arguments.items())
        return (
            f'<s:Envelope xmlns:s="{_SOAP}"><s:Header><credentials xmlns="{NAMESPACE}">'
            f"<deviceId>00-00-00-00-00-00:0</deviceId><deviceProvider>Sonos</deviceProvider>{login}"
            f'</credentials></s:Header><s:Body><{method} xmlns="{NAMESPACE}">{values}</{method}></s:Body>'
            "</s:Envelope>"
        )


def endpoint_of(listen: str, service: str) -> str:
    """Return where this machine reaches a service's endpoint, given what the gateway listens on."""
    host, port = split_address(listen)
    loopback = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - told apart, not listened on
    address = f"[{loopback}]" if ":" in loopback else loopback
    return f"http://{address}:{port}/smapi" + ("" if service == "default" else f"/{service}")
