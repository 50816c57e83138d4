"""The way to a service's own SMAPI endpoint: passes bytes on, and hands back what is an answer of SMAPI, and nothing else.

Knows HTTP and neither SOAP nor tokens. What a content server does wrong surfaces as `ContentUnavailable`, as long as nothing
of its answer has been sent; the first 64 KiB are held back for that, which is the whole of nearly every answer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from shared.settings import ContentSettings

HELD_BACK = 64 * 1024
"""Bytes of an answer that are there before the first is sent on."""
CONNECTIONS = 128
"""To one content server, so that none in trouble starves another; who finds none free in time is told to come again."""
KEPT_ALIVE = 4
"""Seconds an idle connection is kept: less than the five after which many servers close one, into our next request."""

_XML = {"text/xml", "application/xml"}
_BEFORE_XML = b"\xef\xbb\xbf \t\r\n"

Write = Callable[[bytes], Awaitable[None]]


class ContentUnavailable(Exception):
    """The content server gave no answer that could be passed on; the message says why, and holds nothing of the answer."""


class Rest:
    """What of an answer is still to come, within the limits of size and time that began with the request."""

    def __init__(
        self, response: aiohttp.ClientResponse, *, received: int, limit: int, deadline: float
    ) -> None:
        self._response = response
        self._received = received
        self._limit = limit
        self._deadline = deadline

    @property
    def length(self) -> int | None:
        """Return the bytes of the whole answer, None where the content server did not say."""
        return self._response.content_length

    async def copy(self, write: Write) -> None:
        """Hand everything to *write*, piece by piece; a slow taker makes the content server wait.

        Raises:
            ContentUnavailable: too long, too slow, or broken off; what was written is not a whole answer.
        """
        try:
            async with asyncio.timeout_at(self._deadline):
                while piece := await self._response.content.readany():
                    self._received += len(piece)
                    if self._received > self._limit:
                        raise ContentUnavailable("its answer is longer than max_answer")
                    await write(piece)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise ContentUnavailable(f"its answer could not be passed on: {type(error).__name__}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection, in whatever state."""
        self._response.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a content server answered: a result with HTTP 200 or a fault with HTTP 500, as it stands."""

    status: int
    content_type: str
    body: bytes
    """All of it, or the beginning if there is a rest."""
    rest: Rest | None


class ContentServers:
    """The connections of one gateway process to content servers."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, content: ContentSettings, envelope: bytes, headers: Mapping[str, str]) -> Reply:
        """Post an envelope as it is, with these headers alone.

        Raises:
            ContentUnavailable: no answer, not in time, or none that SMAPI knows.
        """
        deadline = asyncio.get_running_loop().time() + content.timeout
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._post(content, envelope, headers)
                return await _reply(response, content.max_answer, deadline)
        except TimeoutError:
            raise ContentUnavailable("it did not answer in time") from None
        except aiohttp.ClientError as error:
            # The class says enough; the text of some repeats what the server sent.
            raise ContentUnavailable(f"it could not be reached: {type(error).__name__}") from error

    async def _post(
        self, content: ContentSettings, envelope: bytes, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        return await self._session.post(
            URL(content.url, encoded=True),
            data=envelope,
            headers=headers,
            # Wherever a redirect led, it would take the caller's token there.
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=content.connect_timeout),
        )


@asynccontextmanager
async def open_content_servers() -> AsyncIterator[ContentServers]:
    """Open what connects to content servers: no cookies, no proxies of the environment, nothing unpacked."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS, keepalive_timeout=KEPT_ALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers={"User-Agent": "Latchkey", "Accept": "text/xml", "Accept-Encoding": "identity"},
    ) as session:
        yield ContentServers(session)


async def _reply(response: aiohttp.ClientResponse, limit: int, deadline: float) -> Reply:
    """Take the beginning of an answer, and let go of the connection unless there is more to come."""
    passed = False
    try:
        if objection := _objection(response, limit):
            raise ContentUnavailable(objection)
        body = await _beginning(response)
        if len(body) > limit:
            raise ContentUnavailable("its answer is longer than max_answer")
        if not body.lstrip(_BEFORE_XML).startswith(b"<"):
            raise ContentUnavailable("its answer is not XML")
        whole = response.content.at_eof()
        rest = None if whole else Rest(response, received=len(body), limit=limit, deadline=deadline)
        passed = True
        return Reply(
            status=response.status, content_type=response.headers["Content-Type"], body=body, rest=rest
        )
    finally:
        # A response that has come to its end gave its connection back already, and is not closed by this.
        if not passed:
            response.close()


def _objection(response: aiohttp.ClientResponse, limit: int) -> str | None:
    """Return why this answer cannot be one of SMAPI, or None."""
    if response.status not in {200, 500}:
        return f"it answered with HTTP {response.status}"
    if response.content_type not in _XML or not response.headers["Content-Type"].isascii():
        return "its answer is not XML"
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return "its answer is compressed, which was not asked for"
    if (response.content_length or 0) > limit:
        return "its answer is longer than max_answer"
    return None


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    pieces, length = [], 0
    while length < HELD_BACK and (piece := await response.content.readany()):
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)
