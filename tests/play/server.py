"""What the servers with people's accounts have in common: a port of their own, a memory of what came in, and bad days."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from tests.play.ports import free_port

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def all(self) -> bytes:
        """Return everything that came in."""
        return f"{self.method} {self.path}?{self.query} {self.headers}".encode() + self.body


@dataclass(kw_only=True)
class User:
    """Somebody with an account there."""

    name: str
    password: str
    id: str = ""
    disabled: bool = False
    allowed: bool = True
    """Whether they may play anything."""


class AccountServer:
    """A server with people's accounts, in the loop of the test."""

    def __init__(self) -> None:
        self.users: list[User] = []
        self.asked: list[Asked] = []
        self.instead: Answers | None = None
        """Answers in the place of the well-behaved one."""
        self.origin = f"http://127.0.0.1:{free_port()}"
        self.url = self.origin
        """What the settings have."""

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Self]:
        """Take requests."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", int(self.origin.rpartition(":")[2])).start()
            yield self
        finally:
            await runner.cleanup()

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer as the real one does."""
        raise NotImplementedError

    def find(self, name: str) -> User | None:
        """Look a user up, in any case."""
        return next((user for user in self.users if user.name.lower() == name.lower()), None)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers=dict(request.headers),
            body=await request.read(),
        )
        self.asked.append(asked)
        return await (self.instead(request) if self.instead else self.answer(request, asked))


def body_of(asked: Asked) -> dict[str, object]:
    """Return the JSON that came in."""
    assert asked.headers["Content-Type"] == "application/json"
    content = json.loads(asked.body)
    assert isinstance(content, dict)
    return content


async def never(_: web.Request) -> web.StreamResponse:
    """Take a request, and leave it at that."""
    await asyncio.Event().wait()
    raise AssertionError


async def page(_: web.Request) -> web.StreamResponse:
    """Answer with a page, as the sign-in of a proxy."""
    return web.Response(text="<!doctype html><title>Sign in</title>", content_type="text/html")


async def rubbish(_: web.Request) -> web.StreamResponse:
    """Answer with JSON that means nothing."""
    return web.json_response(
        {"user": {"id": 7, "Id": [], "username": None}, "User": "x", "subsonic-response": 1}
    )


async def huge(_: web.Request) -> web.StreamResponse:
    """Answer with more than anybody should read."""
    return web.Response(body=b" " * (9 * 1024 * 1024), content_type="application/json")


async def elsewhere(request: web.Request) -> web.StreamResponse:
    """Send the caller on, with the body, to a place that would answer."""
    raise web.HTTPTemporaryRedirect(f"{request.url.origin()}/elsewhere{request.path_qs}")


async def guarded(_: web.Request) -> web.StreamResponse:
    """Ask for a sign-in of its own, as a proxy in front of the server."""
    return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="home"'})


async def overrun(_: web.Request) -> web.StreamResponse:
    """Refuse, for having been asked too often."""
    return web.json_response({"error": "Too many requests"}, status=429)


async def broken(_: web.Request) -> web.StreamResponse:
    """Fail."""
    return web.Response(status=500, text="Error processing request.")


async def gone(_: web.Request) -> web.StreamResponse:
    """Know no such path."""
    return web.Response(status=404, text="404 page not found")
