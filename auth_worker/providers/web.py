"""The way out to identity providers: bounded in time, bytes and connections, and never following anybody elsewhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import msgspec

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 8.0
"""From the first byte to the last; a person is looking at a waiting page."""
LARGEST_ANSWER = 256 * 1024
CONNECTIONS = 64


Tell = Callable[[float, str], None]
"""Takes how many seconds a request took, and `answered`, `refused` (us, whoever it was that came), `failed` (5xx) or `unavailable`."""


class ProviderUnavailable(Exception):
    """The source could not be asked; says nothing about the person, and does not count against the link.

    The message is for the log: what is wrong, where, and the way out; never a word of the evidence.
    """


class NothingDone(ProviderUnavailable):
    """It could not be asked, and it is certain that it has done nothing with what was sent: tokens are not used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a provider said."""

    status: int
    body: bytes
    address: str = ""
    """Where it came from, without the query."""
    challenged: bool = False
    """Whether it asks for an `Authorization` of HTTP's own, as a proxy in front of the server does."""

    def json(self) -> dict[str, Any]:
        """Return the body, which has to be a JSON object.

        Raises:
            ProviderUnavailable: it is something else, so that this is not the server the settings mean.
        """
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ProviderUnavailable(
                f"{self.address} answered {self.status} with something that is no JSON object"
            ) from None

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"


class Web:
    """HTTP to providers, over one pool of connections."""

    def __init__(
        self, session: aiohttp.ClientSession, patience: float = ANSWER_SECONDS, tell: Tell = lambda *_: None
    ) -> None:
        self._session = session
        self._patience = patience
        self._tell = tell

    @classmethod
    @asynccontextmanager
    async def open(
        cls, *, connect: float = CONNECT_SECONDS, answer: float = ANSWER_SECONDS
    ) -> AsyncIterator[Self]:
        """Open a pool; no cookies, no proxies from the environment."""
        timeout = aiohttp.ClientTimeout(total=answer, connect=connect)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "Latchkey"},
            timeout=timeout,
        ) as session:
            yield cls(session, answer)

    def telling(self, tell: Tell) -> "Web":
        """Return the same way out, for one provider, of whose answers *tell* is told."""
        return Web(self._session, self._patience, tell)

    @asynccontextmanager
    async def within(self, url: str, seconds: float = ANSWER_SECONDS) -> AsyncIterator[None]:
        """Bound several requests together, by *seconds* or the time that one answer may take.

        Raises:
            ProviderUnavailable: they took longer.
        """
        try:
            async with asyncio.timeout(min(seconds, self._patience)):
                yield
        except TimeoutError:
            raise ProviderUnavailable(f"{_address(url)} did not answer in time") from None

    async def send(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        largest: int = LARGEST_ANSWER,
        refuses_us: Callable[[Answer], bool] = lambda _: False,
    ) -> Answer:
        """Send one request and return the whole answer, whatever its status.

        Args:
            form: fields sent as a form.
            json: what `msgspec` can encode, sent as JSON; bytes are JSON already, and sent as they are.
            largest: bytes of the longest answer that is taken.
            refuses_us: tells an answer that would be the same for everybody, such as that the secret has run out.

        Raises:
            ProviderUnavailable: no answer, not in time, a redirection, or too many bytes.
        """
        sent = dict(headers or {})
        data: Mapping[str, str] | bytes | None = form
        if json is not None:
            data = json if isinstance(json, bytes) else msgspec.json.encode(json)
            sent["Content-Type"] = "application/json"
        started, outcome = time.monotonic(), "unavailable"
        try:
            async with self._session.request(
                method, url, params=query, data=data, headers=sent, allow_redirects=False
            ) as response:
                body = bytearray()
                while len(body) <= largest and (more := await response.content.read(largest + 1 - len(body))):
                    body += more
                status, challenged = response.status, "WWW-Authenticate" in response.headers
            answer = Answer(status=status, body=bytes(body), address=_address(url), challenged=challenged)
            outcome = "failed" if status >= 500 else "refused" if refuses_us(answer) else "answered"
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NothingDone(_silence(url, error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderUnavailable(_silence(url, error)) from None
        finally:
            self._tell(time.monotonic() - started, outcome)
        if len(body) > largest:
            raise ProviderUnavailable(f"{_address(url)} answered more than {largest} bytes")
        if 300 <= status < 400:
            raise ProviderUnavailable(f"{_address(url)} sent us elsewhere; set the address it redirects to")
        return answer


def _silence(url: str, error: Exception) -> str:
    # Only the kind: the text of some of these errors repeats the address, with what was in its query.
    kind = type(error).__name__
    return (
        f"{_address(url)} did not answer ({kind}); is it up, and is this its address as auth_worker sees it?"
    )


def _address(url: str) -> str:
    return url.split("?", maxsplit=1)[0]
