"""The short way of a SMAPI call through aiohttp, beside the plain one through `app`: the same bytes in, the same bytes out.

Routing, middleware and the making of a response take as long as all we do ourselves. An ordinary call, which is nearly every one (POST
to an endpoint over HTTP/1.1, its body there already, the connection to be kept), needs none of it: its answer is written as it is.
Whatever is not ordinary goes through the application. tests/e2e/test_express.py holds the two against each other. `nonstop` is a shorter way
still, for calls whose bytes came in one piece.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache, partial
from http import HTTPStatus

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from gateway.context import GatewayContext
from gateway.endpoint import Answered, Asked, answer
from gateway.oauth import TokenApi

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Stream = Callable[[web.BaseRequest, Answered], Awaitable[web.StreamResponse]]


class Replies:
    """Writes answers for connections that are kept, to the byte as aiohttp does."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Take what every answer carries."""
        self._headers = _lines(headers.items())
        self._head = lru_cache(maxsize=256)(self._made_head)

    def soap(self, answered: Answered) -> bytes:
        """Return the answer to a call, of which there is no rest."""
        head = self._head(answered.status, ((hdrs.CONTENT_TYPE, answered.content_type),), len(answered.body))
        return b"".join((head, _date(), b"\r\n\r\n", answered.body))

    def empty(self, status: int, headers: Mapping[str, str]) -> bytes:
        """Return an answer of headers alone."""
        return b"".join((self._made_head(status, headers.items(), 0), _date(), b"\r\n\r\n"))

    def _made_head(self, status: int, headers: Iterable[tuple[str, str]], length: int) -> bytes:
        """Return all of an answer's head but the date, with the words of aiohttp."""
        return (
            f"HTTP/1.1 {_STATUS[status]}\r\n{_lines(headers)}{self._headers}{hdrs.CONTENT_LENGTH}: {length}\r\n"
            f"{hdrs.SERVER}: {SERVER_SOFTWARE}\r\n{hdrs.DATE}: "
        ).encode()


class Express:
    """Stands in front of an aiohttp server's own handler."""

    def __init__(
        self,
        context: GatewayContext,
        plain: Handler,
        stream: Stream,
        api: TokenApi,
        *,
        replies: "Replies",
        network: Callable[[web.BaseRequest], str | None],
        endpoints: Mapping[str, str],
        verifications: Mapping[str, str],
        largest_body: int,
    ) -> None:
        """Take the two ways, and which paths go the short one.

        Args:
            context: given to operations.
            plain: answers every request.
            stream: sends an answer of which there is a rest.
            api: answers `/verify`.
            replies: writes the answers.
            network: tells `network_id` of who asks.
            endpoints: path of a SMAPI endpoint -> its service.
            verifications: path of forward-auth -> the service it is for.
            largest_body: bytes; a larger body is refused by the plain way.
        """
        self._context = context
        self._plain = plain
        self._stream = stream
        self._api = api
        self._network = network
        self._endpoints = endpoints
        self._verifications = verifications
        self._largest_body = largest_body
        self._replies = replies

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, itself or by the plain way."""
        if self._is_ordinary(request):
            path = request.raw_path
            if request.method == "POST":
                if (service := self._endpoints.get(path)) is not None:
                    return await self._call(request, service)
            elif request.method == "GET" and (service := self._verifications.get(path)) is not None:
                return await self._verify(request, service)
        return await self._plain(request)

    async def _call(self, request: web.BaseRequest, service: str) -> web.StreamResponse:
        headers = request.headers
        actions = headers.getall("SOAPAction", _NONE)
        authorizations = headers.getall(hdrs.AUTHORIZATION, _NONE)
        if len(actions) > 1 or len(authorizations) > 1:
            return await self._plain(request)
        asked = Asked(
            service=service,
            body=request.content.read_nowait(),
            soap_action=actions[0] if actions else None,
            authorization=authorizations[0] if authorizations else None,
            accept_language=", ".join(headers.getall(hdrs.ACCEPT_LANGUAGE, _NONE)),
            network=partial(self._network, request),
        )
        answered = await answer(asked, self._context)
        if answered.rest is not None:
            return await self._stream(request, answered)
        return Written(answered.status, self._replies.soap(answered))

    async def _verify(self, request: web.BaseRequest, service: str) -> web.StreamResponse:
        status, headers = await self._api.judge(service, request.headers.getall(hdrs.AUTHORIZATION, _NONE))
        return Written(status, self._replies.empty(status, headers))

    def _is_ordinary(self, request: web.BaseRequest) -> bool:
        content = request.content
        return (
            request.version == HttpVersion11
            and request.keep_alive
            and content.is_eof()
            and content.exception() is None
            and content.total_bytes <= self._largest_body
            and not _is_special(request.headers)
        )


def _lines(headers: Iterable[tuple[str, str]]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


_NONE: tuple[str, ...] = ()
_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Written(web.StreamResponse):
    """An answer that is there to the last byte, for a connection that is kept."""

    def __init__(self, status: int, content: bytes) -> None:
        # Nothing of what the base class would set up is used.
        self._content = content
        self._status = status
        self._keep_alive = True
        self._eof_sent = False

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write it."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(self._content)
        # aiohttp asks it for what was sent so far when something goes wrong later.
        self._eof_sent = True

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: all of it is written."""


def _is_special(headers: Mapping[str, str]) -> bool:
    """Tell whether headers ask for more than an answer."""
    return hdrs.EXPECT in headers or hdrs.UPGRADE in headers or hdrs.CONTENT_ENCODING in headers


def _date() -> bytes:
    return rfc822_formatted_time().encode()
