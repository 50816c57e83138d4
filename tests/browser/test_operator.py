"""The operator page in a real browser, after links that came to every kind of end; each view is looked at on the way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page

from tests.browser.looking import look
from tests.play.database import execute
from tests.play.operator import EMBEDDED, PATIENCE, System, add_account, deployment
from tests.play.person import Person
from tests.play.ports import free_port
from tests.play.sights import until_seen
from tests.play.sonos import Link, Sonos, pair_of


@pytest.fixture
async def system(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """One process with an admin address."""
    extra = {"LATCHKEY_ADMIN_LISTEN": f"127.0.0.1:{free_port()}"}
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://", extra=extra) as prepared:
        await add_account(prepared)
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


async def played(system: System, http: aiohttp.ClientSession) -> dict[str, Link]:
    """Let four households try, an hour ago: one is linked, one declines, one forgets its password, one opens no page."""
    links: dict[str, Link] = {}
    sonos = {
        name: Sonos(http, system.endpoint, f"Sonos_{name}")
        for name in ("works", "declined", "password", "unopened")
    }
    for name, each in sonos.items():
        links[name] = await each.get_app_link()
    # Sonos asks seconds later. What is seen of a link before its row is there is not written down.
    async with asyncio.timeout(PATIENCE):
        while len(await execute(system.database_url, "SELECT link_id FROM links")) < len(links):
            await asyncio.sleep(0.02)
    for name, each in sonos.items():
        await each.poll(links[name])
    async with Person() as person:
        await person.sign_in(links["password"].reg_url, password="wrong")
    async with Person() as person:
        await person.press(await person.sign_in(links["declined"].reg_url), "Decline")
    async with Person() as person:
        await person.complete(links["works"].reg_url)
    answer = await sonos["works"].poll(links["works"])
    await sonos["works"].root(pair_of(answer))
    await until_seen(system, "used", "delivered")
    await execute(
        system.database_url,
        "UPDATE links SET expires_at = expires_at - 3600, requested_at = requested_at - 3600",
    )
    for table, columns in {"audit_events": ("at",), "link_sightings": ("first_at", "last_at")}.items():
        earlier = ", ".join(f"{column} = {column} - 3600" for column in columns)
        await execute(system.database_url, f"UPDATE {table} SET {earlier}")
    return links


async def rows(page: Page, heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, but for those that are drawn."""
    section = page.locator("section", has=page.get_by_role("heading", name=heading))
    cells = [await row.locator("th, td").all_inner_texts() for row in await section.locator("tbody tr").all()]
    return [[cell.strip() for cell in row if cell.strip()] for row in cells]


async def test_how_links_fared(system: System, browser: Browser) -> None:
    """The funnel is right to the last link, each cause leads to a link that stopped so, and codes are looked up by POST."""
    admin = f"http://{system.environment['LATCHKEY_ADMIN_LISTEN']}/links"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        links = await played(system, http)
        async with http.get(f"{system.gateways[0]}/links") as public:
            assert 404 == public.status
    phone = await browser.new_page(viewport={"width": 320, "height": 640}, device_scale_factor=2)
    asked: list[str] = []
    phone.on("request", lambda request: asked.append(request.url))
    await phone.goto(admin)
    await look(phone, "operator-overview-phone")
    funnel = await rows(phone, "How far links came")
    causes = [await each.inner_text() for each in await phone.locator("summary").all()]
    await phone.get_by_text("wrong name or password").click()
    await phone.get_by_role("button", name="The last of them").locator("visible=true").click()
    cause = await phone.get_by_role("heading", level=2).first.inner_text()
    await look(phone, "operator-link-phone")

    assert [
        ["requested", "4"],
        ["opened", "3", "1"],
        ["signed in", "2", "1"],
        ["allowed", "1", "1"],
        ["linked", "1"],
        ["picked up", "1"],
        ["used", "1"],
    ] == funnel
    assert {"the person declined", "wrong name or password", "Sonos polled, and nobody opened the page"} == {
        each.split("\n")[-1].strip() for each in causes
    }
    assert "Stopped: wrong name or password." == cause

    desk = await browser.new_page(viewport={"width": 1100, "height": 800}, color_scheme="dark")
    await desk.goto(f"{admin}?window=week")
    await look(desk, "operator-overview-dark")
    await desk.get_by_label("Link code, typed code or link id").fill(links["works"].code)
    await desk.get_by_role("button", name="Look up").first.click()
    await look(desk, "operator-link-dark")
    story = await desk.locator("main").inner_text()
    await desk.get_by_label("Household").fill("Sonos_declined")
    await desk.get_by_role("button", name="Look up").last.click()
    declined = await desk.get_by_role("heading", level=2).first.inner_text()
    await desk.get_by_label("Household").fill("Sonos_nobody")
    await desk.get_by_role("button", name="Look up").last.click()

    assert all(
        words in story for words in ("Linked, and in use.", "first call with the token", "Sonos_works")
    )
    assert "Stopped: the person declined." == declined
    assert "Nothing is on record under that." == await desk.get_by_role("alert").inner_text()
    assert {admin} == set(asked)
    assert not any(link.code in system.logs() for link in links.values())
