"""The admin address: health, metrics, and pages that are for this machine alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from shared import admin as admin_address
from shared.admin import Admin, open_admin
from tests.play.ports import free_port


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Admin, aiohttp.ClientSession]]:
    address = f"127.0.0.1:{free_port()}"
    async with open_admin(address) as admin, aiohttp.ClientSession(f"http://{address}") as http:
        yield admin, http


async def ill() -> str | None:
    return "away"


async def test_probes_are_answered() -> None:
    """By status for machines, by body for people."""
    answers = []
    async with opened() as (admin, http):
        admin.health.fit["database"] = ill
        for path in ("/livez", "/startupz", "/readyz", "/nothing"):
            async with http.get(path) as response:
                answers.append((response.status, await response.text()))

    assert [
        (200, '{"status": "alive"}'),
        (200, '{"status": "started"}'),
        (503, '{"status": "not ready", "database": "away"}'),
        (404, "404: Not Found"),
    ] == answers


async def test_metrics_tell_the_version() -> None:
    """In the form that Prometheus reads."""
    async with opened() as (_, http), http.get("/metrics") as response:
        families = {family.name: family for family in text_string_to_metric_families(await response.text())}

    assert ["0.1.0"] == [sample.labels["version"] for sample in families["latchkey_build_info"].samples]


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:9", 200), ("localhost", 200), ("[::1]", 200), ("rebound.example", 403), ("", 403)],
)
async def test_pages_are_shown_on_this_machine_alone(host: str, status: int) -> None:
    """A web page that points its own name here gets nothing to read."""

    async def page(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.path)

    async with opened() as (admin, http):
        admin.add_page("/links", page)
        async with http.get("/links/one", headers={"Host": host}) as response:
            answer = response.status, await response.text() == "/links/one"

    assert (status, status == 200) == answer


async def test_process_ends_whoever_still_waits_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes its time holds no process up."""
    monkeypatch.setattr(admin_address, "SHUTDOWN_SECONDS", 0.05)
    begun = asyncio.Event()

    async def page(_: web.BaseRequest) -> web.StreamResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    address = f"127.0.0.1:{free_port()}"
    async with aiohttp.ClientSession(f"http://{address}") as http, asyncio.timeout(30):
        async with open_admin(address) as admin:
            admin.add_page("/links", page)
            asked = asyncio.create_task(http.get("/links"))
            await begun.wait()
        with pytest.raises(aiohttp.ClientError):
            await asked


async def test_nothing_is_written_here() -> None:
    """Whoever can reach the address can look, and no more."""
    async with opened() as (_, http), http.post("/livez") as response:
        assert 405 == response.status


async def test_nothing_is_served_without_an_address() -> None:
    """Health is kept all the same: a gateway tells it on its public address, too."""
    async with open_admin(None) as admin:
        assert (await admin.health.readyz()).is_well
