"""The playground's routes: one page, one stream of news, one address per button, and the way to the sign-in page."""

import asyncio
import hmac
from typing import Protocol

import msgspec
from aiohttp import web

from deploy import accounts
from deploy.playground.acts import ACTS, Stage, perform
from deploy.playground.lanes import Lane
from deploy.playground.play import Play
from deploy.playground.rendering import HEADERS, STATIC, render, static
from deploy.playground.story import STATE, Piece, TooManyReaders
from deploy.playground.words import GROUPS
from gateway.pages import browser as browsers

HEARTBEAT_SECONDS = 15
"""How often a stream says that it is alive, so that both ends notice when the other has gone."""
TOKEN_HEADER = "X-Playground-Token"  # noqa: S105 - a name

# A proxy that gathers what it passes on would show everything late.
_STREAM = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


class Plays(Protocol):
    """Where plays are kept."""

    @property
    def is_broken(self) -> bool:
        """Tell whether the broker is broken."""
        ...

    def begin(self, browser_id: str) -> Play | None:
        """Begin a play."""
        ...

    def play(self, play_id: str) -> Play | None:
        """Return a play."""
        ...

    def tell_all(self) -> None:
        """Tell every tab how things stand."""
        ...

    def end(self) -> None:
        """Send all tabs home."""
        ...


class Pages:
    """The requests a tab makes."""

    def __init__(self, plays: Plays, stage: Stage) -> None:
        self._plays = plays
        self._stage = stage
        self._settings = stage.context.settings

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.add_routes(
            [
                web.get("/", self.show),
                web.get("/play/{play}/events", self.events),
                web.get("/play/{play}/sign-in", self.sign_in),
                web.post("/play/{play}/{act}", self.act),
                *(web.get(f"/static/{name}", _static) for name in STATIC),
            ]
        )
        app.on_shutdown.append(self._end)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show this tab's play; a tab that has none gets one."""
        browser = self._browser(request)
        play = self._plays.play(request.query.get("play", ""))
        if play is None or not _is_of(play, browser):
            return self._begin(browser)
        html = render(
            "playground",
            play=play,
            token=self._token(browser, play),
            service=self._settings.services[self._stage.service],
            groups=GROUPS,
            lanes=Lane,
            demo=await self._demo(),
        )
        return self._answered(web.Response(text=html, content_type="text/html", headers=HEADERS), browser)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send what is new, as it comes; a tab that was away says what it has seen."""
        play = self._of(request)
        response = web.StreamResponse(headers={**HEADERS, **_STREAM})
        seen = max(_number(request.headers.get("Last-Event-ID")), _number(request.query.get("after")))
        try:
            async with play.story.reading() as news:
                await response.prepare(request)
                await response.write(b"retry: 1000\n\n")
                while not play.story.is_over:
                    news.clear()
                    for piece in play.story.after(seen):
                        seen = piece.number
                        await response.write(_message(piece))
                    await _wait(news, response)
        except TooManyReaders:
            return web.Response(status=429, text="This play is open too often; close one of its tabs\n")
        except ConnectionError:
            pass
        return response

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Send the person to the page that Sonos would open; its address holds the link code, and this page shows none."""
        pending = self._of(request).pending
        location = f"/link/{pending.code}" if pending else "/"
        return web.Response(status=303, headers={**HEADERS, "Location": location})

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Do what a button says."""
        play, name = self._of(request), request.match_info["act"]
        browser = self._browser(request)
        if not hmac.compare_digest(
            self._token(browser, play).encode(), request.headers.get(TOKEN_HEADER, "").encode()
        ):
            raise web.HTTPForbidden(reason="The button is not of this page; load it again")
        if name not in ACTS:
            raise web.HTTPNotFound
        if not play.possible(broken=self._plays.is_broken)[name]:
            raise web.HTTPConflict(reason="That makes no sense now")
        await perform(name, play, self._stage)
        play.tell_state(broken=self._plays.is_broken)
        self._plays.tell_all()
        return web.Response(status=204, headers=HEADERS)

    def _begin(self, browser: browsers.Browser) -> web.StreamResponse:
        play = self._plays.begin(browser.id_for("playground"))
        if play is None:
            text = "Too many tabs play here; close one, and load this page again\n"
            return web.Response(status=503, text=text, headers=HEADERS)
        location = f"/?play={play.play_id}"
        return self._answered(web.Response(status=303, headers={**HEADERS, "Location": location}), browser)

    def _of(self, request: web.Request) -> Play:
        play = self._plays.play(request.match_info["play"])
        if play is None or not _is_of(play, self._browser(request)):
            raise web.HTTPNotFound(reason="This play is over; load the page again")
        return play

    def _browser(self, request: web.Request) -> browsers.Browser:
        return browsers.recognise(request, self._stage.context.random, secure=self._settings.secure)

    def _token(self, browser: browsers.Browser, play: Play) -> str:
        return browser.form_token(self._stage.context.keys.cookie[0].secret, f"playground {play.play_id}")

    def _answered(self, response: web.Response, browser: browsers.Browser) -> web.Response:
        browsers.remember(response, browser, secure=self._settings.secure)
        return response

    async def _demo(self) -> bool:
        users = await accounts.listed(self._settings, service=self._stage.service)
        return any(user.name == accounts.DEMO_NAME for user in users)

    async def _end(self, _: web.Application) -> None:
        self._plays.end()


def _is_of(play: Play, browser: browsers.Browser) -> bool:
    return not browser.is_new and hmac.compare_digest(play.browser_id, browser.id_for("playground"))


def _message(piece: Piece) -> bytes:
    if piece.name == STATE:
        return f"id: {piece.number}\nevent: state\ndata: {piece.text}\n\n".encode()
    body = msgspec.json.encode({"id": piece.name, "into": piece.into, "html": piece.text}).decode()
    return f"id: {piece.number}\nevent: piece\ndata: {body}\n\n".encode()


async def _wait(news: asyncio.Event, response: web.StreamResponse) -> None:
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await news.wait()
    except TimeoutError:
        await response.write(b": still here\n\n")


def _number(text: str | None) -> int:
    return int(text) if text and len(text) < 16 and text.isascii() and text.isdecimal() else 0


async def _static(request: web.Request) -> web.StreamResponse:
    name = request.path.rpartition("/")[2]
    return web.Response(
        body=static(name),
        content_type=STATIC[name],
        charset="utf-8",
        headers={"Cache-Control": "no-cache"},
    )
