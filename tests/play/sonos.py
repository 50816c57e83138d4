"""Sonos, as far as linking goes: says what its apps say, reads what they read."""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

import aiohttp
from lxml import etree

SMAPI = "http://www.sonos.com/Services/1.1"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
HOUSEHOLD = "Sonos_2ZLtEJUN38KttgBMoESCwBpBHD_7d55e99"
CALLBACK = "sonos-2://x-callback-url/addAccount?state=intId%3Dnet%2Eexample%26x%3D%2F"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: every element's text by local name, first one wins; the fault's code if it is one."""

    status: int
    fault: str | None
    values: Mapping[str, str]
    raw: bytes

    def __getitem__(self, name: str) -> str:
        return self.values[name]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What Sonos stores for a household."""

    token: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Link:
    """What Sonos remembers between getAppLink and the polls."""

    reg_url: str
    code: str
    device_id: str


class Sonos:
    """One household's Sonos system, aimed at one gateway."""

    def __init__(self, http: aiohttp.ClientSession, endpoint: str, household: str = HOUSEHOLD) -> None:
        self.http = http
        self.endpoint = endpoint
        self.household = household

    async def call(
        self,
        method: str,
        arguments: Mapping[str, str] | None = None,
        *,
        pair: Pair | None = None,
        bearer: bool = False,
        send_key: bool = True,
        headers: Mapping[str, str] | None = None,
        credentials: str = "",
    ) -> Answer:
        """Send one request; the token goes into the SOAP header, or into `Authorization` as S2 does it.

        *credentials* are what a household without a token has in its header: `login_of` or `session_of`.
        """
        headers = {
            "SOAPAction": f'"{SMAPI}#{method}"',
            "Content-Type": "text/xml; charset=utf-8",
            "User-Agent": "Linux UPnP/1.0 Sonos/90.0-77070 (ICRU_iPhone17,5)",
            **(headers or {}),
        }
        if pair and bearer:
            headers["Authorization"] = f"Bearer {pair.token}"
        body = self.envelope(
            method, arguments or {}, None if bearer else pair, send_key=send_key, credentials=credentials
        )
        async with self.http.post(self.endpoint, data=body, headers=headers) as response:
            return _answer(response.status, await response.read())

    async def get_app_link(self) -> Link:
        """Begin to add the service, as the S2 app on an iPhone does."""
        answer = await self.call(
            "getAppLink",
            {
                "householdId": self.household,
                "hardware": "iPhone17,5",
                "osVersion": "Version 26.2 (Build 23C55)",
                "sonosAppName": "ICRU_iPhone17,5",
                "callbackPath": CALLBACK,
            },
        )
        assert answer.fault is None, answer.raw
        return Link(reg_url=answer["regUrl"], code=answer["linkCode"], device_id=answer["linkDeviceId"])

    async def poll(self, link: Link, **changes: str) -> Answer:
        """Ask whether the link is done."""
        arguments = {"householdId": self.household, "linkCode": link.code, "linkDeviceId": link.device_id}
        return await self.call("getDeviceAuthToken", arguments | changes)

    async def get_session_id(self, name: str, password: str) -> Answer:
        """Sign in to a service that Sonos knows as "Session ID"."""
        return await self.call("getSessionId", {"username": name, "password": password})

    async def upgrade(self, credentials: str = "", *, pair: Pair | None = None) -> Answer:
        """Ask for a token pair, as a player does for each account after the service has moved to OAuth."""
        arguments = {"householdId": self.household}
        return await self.call("getDeviceAuthToken", arguments, credentials=credentials, pair=pair)

    async def browse(self, credentials: str = "") -> Answer:
        """Open the service in the app, without a token."""
        arguments = {"id": "root", "index": "0", "count": "100"}
        return await self.call("getMetadata", arguments, credentials=credentials)

    async def root(self, pair: Pair, *, bearer: bool = False) -> Answer:
        """Open the service in the app."""
        arguments = {"id": "root", "index": "0", "count": "100"}
        return await self.call("getMetadata", arguments, pair=pair, bearer=bearer)

    def envelope(
        self,
        method: str,
        arguments: Mapping[str, str],
        pair: Pair | None,
        *,
        send_key: bool = True,
        credentials: str = "",
    ) -> bytes:
        """Write a request."""
        login = credentials
        if pair:
            key = f"<key>{pair.key}</key>" if send_key else ""
            login = (
                f"<loginToken><token>{pair.token}</token>{key}"
                f"<householdId>{self.household}</householdId></loginToken>"
            )
        values = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in arguments.items())
        return (
            f'<s:Envelope xmlns:s="{SOAP}"><s:Header><credentials xmlns="{SMAPI}">'
            f"<deviceId>00-00-00-00-00-00:0</deviceId><deviceProvider>Sonos</deviceProvider>{login}"
            f'</credentials></s:Header><s:Body><{method} xmlns="{SMAPI}">{values}</{method}></s:Body></s:Envelope>'
        ).encode()


def session_of(session_id: str) -> str:
    """Return what a header holds that has a session id."""
    return f"<sessionId>{escape(session_id)}</sessionId>"


def login_of(name: str, password: str) -> str:
    """Return what a header holds that has a name and a password."""
    return f"<login><username>{escape(name)}</username><password>{escape(password)}</password></login>"


def pair_of(answer: Answer) -> Pair:
    """Return the pair in an answer or in a TokenRefreshRequired fault."""
    assert "authToken" in answer.values, answer.raw
    return Pair(token=answer["authToken"], key=answer["privateKey"])


def _answer(status: int, raw: bytes) -> Answer:
    root = etree.fromstring(raw)
    assert root.tag == f"{{{SOAP}}}Envelope", raw
    values: dict[str, str] = {}
    for element in root.iter():
        values.setdefault(etree.QName(element).localname, element.text or "")
    fault = values.get("faultcode")
    assert (status == 500) == (fault is not None), (status, raw)
    return Answer(status=status, fault=fault, values=values, raw=raw)
