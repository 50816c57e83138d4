"""A service's own content server, as somebody else would write it: another SOAP library, and it believes nobody.

zeep reads the requests and writes the answers by a WSDL of this server's own, joserfc verifies the gateway's JWT with the keys
that the gateway publishes. aiohttp carries the bytes: the one server library that there is, spyne, was last released in 2022, and its
import fails where warnings are errors, as here. It runs in a thread, so that a test module can share it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import zeep
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet
from lxml import etree

from tests.play.ports import free_port
from tests.play.sonos import SMAPI, SOAP

ResultT = TypeVar("ResultT")
Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]
LANGUAGE = "fr-CA, fr;q=0.5"


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as it came in, and what its JWT says."""

    method: str
    headers: dict[str, str]
    body: bytes
    claims: dict[str, object] = field(default_factory=dict)


class ContentServer:
    """One content server on a port of its own."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}/content/smapi"
        self.gateway = ""
        """Whose JWKS are trusted."""
        self.received: list[Received] = []
        self.instead: Answers | None = None
        """Answers in the place of the well-behaved one, as servers in trouble do."""
        self._wsdl = zeep.Client(str(Path(__file__).with_name("content.wsdl"))).service._binding
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None

    def run(self, action: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run something in the server's own thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(timeout=30)

    async def listen(self) -> None:
        """Take requests."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", int(self.url.split(":")[2].split("/")[0])).start()

    async def close(self) -> None:
        """Take no requests any more, and drop what is connected."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Be down for a while."""
        self.run(self.close())
        yield
        self.run(self.listen())

    @contextmanager
    def answering(self, instead: Answers) -> Iterator[None]:
        """Answer everything like this for a while."""
        self.instead = instead
        yield
        self.instead = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        claims = await self._verified(request)
        method = request.headers["SOAPAction"].strip('"').removeprefix(f"{SMAPI}#")
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert len(headers) == len(request.headers), "a header came twice"
        self.received.append(Received(method=method, headers=headers, body=body, claims=claims))
        if self.instead is not None:
            return await self.instead(request)
        return self._well_behaved(method, body, claims)

    async def _verified(self, request: web.Request) -> dict[str, object]:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.gateway}/.well-known/content-jwks.json") as response,
        ):
            keys = KeySet.import_key_set(await response.json())
        scheme, _, token = request.headers["Authorization"].partition(" ")
        assert scheme == "Bearer"
        decoded = jwt.decode(token, keys, algorithms=["Ed25519"])
        assert decoded.header["typ"] == "content+jwt"
        registry = jwt.JWTClaimsRegistry(
            aud={"essential": True, "value": self.url},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(decoded.claims)
        return dict(decoded.claims)

    def _well_behaved(self, method: str, body: bytes, claims: dict[str, object]) -> web.Response:
        operation = self._wsdl.get(method)
        arguments = operation.input.deserialize(etree.fromstring(body))
        if method in {"getMetadata", "search"}:
            if arguments["id"] == "nowhere":
                return fault("Client.ItemNotFound")
            items = [
                {"id": name, "itemType": "container", "title": str(value)} for name, value in claims.items()
            ]
            page = {"index": 0, "count": len(items), "total": len(items), "mediaCollection": items}
            return _answer(operation.output.serialize(**{f"{method}Result": page}))
        results = {
            "getUserInfo": {"getUserInfoResult": {"userIdHashCode": "0" * 32, "nickname": "of the content"}},
            "getLastUpdate": {"getLastUpdateResult": {"favorites": "f", "catalog": "of the content"}},
            "reportAccountAction": {},
        }
        return _answer(operation.output.serialize(**results[method]))


def fault(code: str) -> web.Response:
    """Return a fault with all that a content server may want to say."""
    text = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<S:Envelope xmlns:S="{SOAP}"><S:Body><S:Fault>'
        f"<faultcode>{code}</faultcode><faultstring>Ça n'existe pas</faultstring>"
        "<detail><ExceptionInfo>Ours</ExceptionInfo><SonosError>999</SonosError></detail>"
        "</S:Fault></S:Body></S:Envelope>\n"
    )
    return web.Response(status=500, body=text.encode(), headers={"Content-Type": 'text/xml; charset="UTF-8"'})


def _answer(serialized: Any) -> web.Response:
    body = etree.tostring(serialized.content, xml_declaration=True, encoding="utf-8")
    # What a server adds for itself, and Sonos has no use for.
    headers = {"Set-Cookie": "content=1", "X-Powered-By": "another library", "Server": "content"}
    return web.Response(body=body, content_type="text/xml", charset="utf-8", headers=headers)


@contextmanager
def content_server() -> Iterator[ContentServer]:
    """Run a content server."""
    server = ContentServer()
    thread = threading.Thread(target=server._loop.run_forever)
    thread.start()
    try:
        server.run(server.listen())
        yield server
    finally:
        server.run(server.close())
        server._loop.call_soon_threadsafe(server._loop.stop)
        thread.join()
        server._loop.close()
