"""Speaks SMAPI as Sonos does: what goes out, what comes back, how long it took."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Protocol

import aiohttp

from deploy.check.document import (
    ENVELOPE,
    SMAPI,
    Element,
    SoapFault,
    Unreadable,
    body_of,
    fault_in,
    local_name,
    text_of,
)

CONNECT_SECONDS, TRANSACTION_SECONDS = 10.0, 20.0
"""How long Sonos waits, according to the constants in its own self test."""
LARGEST_ANSWER = 4 * 1024 * 1024
USER_AGENT = "Linux UPnP/1.0 Sonos/90.0-77070 (ICRU_iPhone17,5)"
DEVICE_ID = "00-00-00-00-00-00:0"
CALLBACK = "sonos-2://x-callback-url/addAccount?state=intId%3Dnet%2Eexample%26x%3D%2F"


class Clock(Protocol):
    """Where durations and waiting come from."""

    def now(self) -> int:
        """Return seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let some time pass."""
        ...


class Unanswered(Exception):
    """No answer came; the message says how that looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request, ready to go."""

    method: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    method: str
    status: int
    headers: Mapping[str, str]
    raw: bytes = field(repr=False)
    seconds: float
    content: Element | None
    """The one element in the Body; None if this is no SOAP."""
    problem: str
    """Why it is no SOAP; empty if it is."""

    @property
    def fault(self) -> SoapFault | None:
        """Return the fault, if it is one."""
        return None if self.content is None else fault_in(self.content)

    @property
    def is_result(self) -> bool:
        """Tell whether it is the response to its method."""
        return self.content is not None and local_name(self.content) == f"{self.method}Response"

    def text(self, *names: str) -> str | None:
        """Return the text of an element, by local names; None where there is none."""
        return None if self.content is None else text_of(self.content, *names)

    @property
    def shown(self) -> str:
        """Say in a few words what came back, without anything secret that was in it."""
        fault = self.fault
        if fault is not None:
            return f"HTTP {self.status} with the fault {fault.code or 'without a code'}"
        if self.content is not None:
            return f"HTTP {self.status} with {local_name(self.content)}"
        return f"HTTP {self.status}, {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What Sonos stores for a household."""

    token: str = field(repr=False)
    key: str | None = field(repr=False)


def envelope(
    method: str, arguments: Mapping[str, str], login: str = "", *, device_id: str = DEVICE_ID
) -> bytes:
    """Write a request as the S2 app does; *login* is XML that goes into the credentials."""
    device = f"<deviceId>{device_id}</deviceId>" if device_id else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{ENVELOPE}"><s:Header>'
        f'<credentials xmlns="{SMAPI}">{device}<deviceProvider>Sonos</deviceProvider>{login}</credentials>'
        f'</s:Header><s:Body><{method} xmlns="{SMAPI}">{elements(arguments)}</{method}></s:Body></s:Envelope>'
    ).encode()


def elements(values: Mapping[str, str], prefix: str = "") -> str:
    """Write one element per value."""
    return "".join(f"<{prefix}{name}>{escape(value)}</{prefix}{name}>" for name, value in values.items())


def login_token(pair: Pair, household_id: str | None, *, with_key: bool = True) -> str:
    """Write what the header of a linked household holds."""
    values = {"token": pair.token}
    if pair.key is not None and with_key:
        values["key"] = pair.key
    if household_id is not None:
        values["householdId"] = household_id
    return f"<loginToken>{elements(values)}</loginToken>"


def headers_for(method: str, **more: str) -> dict[str, str]:
    """Return what every request has."""
    return {
        "SOAPAction": f'"{SMAPI}#{method}"',
        "Content-Type": "text/xml; charset=utf-8",
        "User-Agent": USER_AGENT,
        **more,
    }


class Client:
    """Sends requests one way or another, follows nothing, and remembers what came back."""

    def __init__(self, http: aiohttp.ClientSession, endpoint: str, clock: Clock) -> None:
        self.endpoint = endpoint
        self.history: list[Answer] = []
        self._http, self._clock = http, clock

    async def call(
        self, method: str, arguments: Mapping[str, str] | None = None, login: str = "", **headers: str
    ) -> Answer:
        """Send a request as the S2 app writes it."""
        message = Message(
            method=method,
            body=envelope(method, arguments or {}, login),
            headers=headers_for(method, **headers),
        )
        return await self.send(message)

    async def send(self, message: Message, *, remember: bool = True) -> Answer:
        """Send any request; what no honest client sends is not to be remembered.

        Raises:
            Unanswered: no answer in the time that Sonos waits.
        """
        started = self._clock.monotonic()
        timeout = aiohttp.ClientTimeout(total=TRANSACTION_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            async with self._http.post(
                self.endpoint,
                data=message.body,
                headers=message.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                raw = await _bounded(response)
        except TimeoutError:
            raise Unanswered(f"{message.method}: no answer within {TRANSACTION_SECONDS:.0f} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unanswered(f"{message.method}: {_why(error)}") from None
        content, problem = _read(raw, response.headers.get("Content-Type", ""))
        answer = Answer(
            method=message.method,
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            raw=raw,
            seconds=self._clock.monotonic() - started,
            content=content,
            problem=problem,
        )
        if remember:
            self.history.append(answer)
        return answer


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        raw += chunk
        if len(raw) > LARGEST_ANSWER:
            response.close()
            raise aiohttp.ClientPayloadError(f"an answer of more than {LARGEST_ANSWER} bytes")
    return bytes(raw)


def _read(raw: bytes, content_type: str) -> tuple[Element | None, str]:
    try:
        return body_of(raw), ""
    except Unreadable as error:
        return None, f"{content_type.partition(';')[0] or 'no content type'}: {error}"


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


class SystemClock:
    """The machine's clock, and the event loop's."""

    def __init__(self, now: "Now") -> None:
        self._now = now

    def now(self) -> int:
        """Return seconds since the epoch."""
        return self._now.now()

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return self._now.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let some time pass."""
        await asyncio.sleep(seconds)


class Now(Protocol):
    """What `shared.context.SystemClock` is."""

    def now(self) -> int: ...  # noqa: D102
    def monotonic(self) -> float: ...  # noqa: D102
