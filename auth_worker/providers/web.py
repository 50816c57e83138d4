"""The way out to identity providers: bounded in time, bytes and connections, and never following anybody elsewhere."""

from collections.abc import AsyncIterator, Mapping
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

    def json(self) -> dict[str, Any]:
        """Return the body, which has to be a JSON object.

        Raises:
            ProviderUnavailable: it is something else, so that this is not the server the settings mean.
        """
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ProviderUnavailable(
                f"answered {self.status} with something that is no JSON object"
            ) from None

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"


class Web:
    """HTTP to providers, over one pool of connections."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """Open a pool; no cookies, no proxies from the environment."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
        ) as session:
            yield cls(session)

    async def send(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return the whole answer, whatever its status.

        Args:
            form: fields sent as a form.
            json: what `msgspec` can encode, sent as JSON.

        Raises:
            ProviderUnavailable: no answer, not in time, a redirection, or too many bytes.
        """
        sent = dict(headers or {})
        data: Mapping[str, str] | bytes | None = form
        if json is not None:
            data = msgspec.json.encode(json)
            sent["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method, url, params=query, data=data, headers=sent, allow_redirects=False
            ) as response:
                body = await response.content.read(LARGEST_ANSWER + 1)
                while len(body) <= LARGEST_ANSWER and (more := await response.content.read(LARGEST_ANSWER)):
                    body += more
                status = response.status
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NothingDone(f"{_origin(url)} cannot be reached: {type(error).__name__}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Only the kind: the text of some of these errors repeats the address, with what was in its query.
            raise ProviderUnavailable(f"{_origin(url)} did not answer: {type(error).__name__}") from None
        if len(body) > LARGEST_ANSWER:
            raise ProviderUnavailable(f"{_origin(url)} answered more than {LARGEST_ANSWER} bytes")
        if 300 <= status < 400:
            raise ProviderUnavailable(f"{_origin(url)} sent us elsewhere; set the address it redirects to")
        return Answer(status=status, body=body)


def _origin(url: str) -> str:
    return url.split("?", maxsplit=1)[0]
