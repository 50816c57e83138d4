"""Servers that answer badly, or not at all, are findings, and end no run."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from deploy.check import client
from deploy.check.client import SystemClock
from deploy.check.probe import Options
from deploy.check.report import Mode, Report
from deploy.check.run import CannotRun, run
from deploy.check.signin import ByApproval, Link, NotSignedIn
from deploy.check.table import selected
from shared.context import SystemClock as Machine

ENVELOPE = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:n="http://www.sonos.com/Services/1.1"><e:Body>{}</e:Body></e:Envelope>'
FAULT = ENVELOPE.format("<e:Fault><faultcode>Client.No</faultcode><faultstring>no</faultstring></e:Fault>")
LINK = ENVELOPE.format(
    "<n:getAppLinkResponse><n:getAppLinkResult><n:authorizeAccount><n:appUrlStringId>S</n:appUrlStringId><n:deviceLink>"
    "<n:regUrl>http://[nonsense</n:regUrl><n:linkCode>a</n:linkCode><n:showLinkCode>false</n:showLinkCode></n:deviceLink>"
    "</n:authorizeAccount></n:getAppLinkResult></n:getAppLinkResponse>"
)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes([web.post("/{path:.*}", answer)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


async def checked(address: str, *only: str) -> Report:
    return await run(
        f"{address}/smapi",
        selected(only, ()),
        options=Options(),
        mode=Mode.APP_LINK,
        clock=SystemClock(Machine()),
        random=os.urandom,
        sign_in=lambda _: None,
    )


def soap(text: str) -> web.Response:
    return web.Response(status=500, text=text, content_type="text/xml")


def asks_for(request: web.Request, method: str) -> bool:
    return method in request.headers.get("SOAPAction", "")


async def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sonos would not wait either."""
    monkeypatch.setattr(client, "TRANSACTION_SECONDS", 0.3)

    async def answer(request: web.Request) -> web.StreamResponse:
        if asks_for(request, "getNothing"):
            await asyncio.Event().wait()
        return soap(FAULT)

    async with serving(answer) as address:
        (finding,) = (await checked(address, "http.unknown-method")).findings

    assert "getNothingOfTheKind: no answer within 0 s" == finding.said


@pytest.mark.parametrize("kind", ["endless", "cut"])
async def test_answer_that_breaks(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without end is not read to its end, and one that breaks off is none."""
    monkeypatch.setattr(client, "LARGEST_ANSWER", 100_000)

    async def answer(request: web.Request) -> web.StreamResponse:
        if not asks_for(request, "getNothing"):
            return soap(FAULT)
        if kind == "cut":
            assert request.transport is not None
            request.transport.abort()
            return soap(FAULT)
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with serving(answer) as address:
        (finding,) = (await checked(address, "http.unknown-method")).findings

    assert finding.said.startswith("getNothingOfTheKind: ")
    assert ("more than 100000 bytes" in finding.said) is (kind == "endless")


async def test_address_that_is_none() -> None:
    """What a server says is never trusted to be what it should be."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return (
            web.Response(text=LINK, content_type="text/xml")
            if asks_for(request, "getAppLink")
            else soap(FAULT)
        )

    async with serving(answer) as address:
        report = await checked(address, "link.page", "link.page-injection")

    assert 2 == len(report.findings)


async def test_nothing_to_check() -> None:
    """Checks of another kind of service are no clean run."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return soap(FAULT)

    async with serving(answer) as address:
        with pytest.raises(CannotRun, match="none of these checks is for a service of the kind app-link"):
            await checked(address, "session")


@pytest.mark.parametrize(("subject", "body"), [("somebody", '{"subject": "somebody"}'), (None, "")])
async def test_what_an_approval_says(subject: str | None, body: str) -> None:
    """The code is in the address, the key or token in a header, who approves in the body; a refusal is passed on."""
    seen: list[tuple[str, str | None, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.raw_path, request.headers.get("Authorization"), await request.text()))
        return web.Response(status=404, text="no such link")

    import aiohttp

    async with serving(answer) as address:
        approval = ByApproval(
            http=aiohttp.ClientSession, endpoint=f"{address}/smapi", key="k", subject=subject
        )
        link = Link(reg_url="", code="a/b", device_id=None, is_shown=False)
        with pytest.raises(NotSignedIn, match="answered with HTTP 404: no such link"):
            await approval.complete(link)

    assert [("/api/links/a%2Fb/approve", "Bearer k", body)] == seen
