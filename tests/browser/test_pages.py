"""The pages in a real browser, without JavaScript, as wide as a phone: what a person sees when linking."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.person import NAME, PASSWORD

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ARTEFACTS = Path(os.environ.get("TEST_ARTIFACTS", "test-artifacts")).absolute()


@pytest.fixture
async def demo(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """An embedded installation with the try-out page."""
    extra = {"LATCHKEY_DEMO": "true"}
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://", extra=extra) as system:
        await add_account(system)
        system.start_gateway("embedded", ("-c", EMBEDDED))
        await system.ready()
        yield system


@pytest.fixture
async def phone(chromium: Path) -> AsyncIterator[BrowserContext]:
    """A phone's browser with JavaScript switched off."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield await browser.new_context(viewport={"width": 320, "height": 700}, java_script_enabled=False)
        await browser.close()


async def picture(page: Page, name: str) -> None:
    """Keep a picture, and expect that nothing sticks out to the side."""
    ARTEFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
    box = await page.locator("main").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320


async def test_try_out_page_walks_through_a_link(demo: System, phone: BrowserContext) -> None:
    """One button plays Sonos; wrong password, right password, allow; and Sonos has its token."""
    sonos, person = await phone.new_page(), await phone.new_page()
    await sonos.goto(demo.gateways[0])
    await picture(sonos, "try-out")
    await sonos.get_by_role("button", name="Add the service").click()
    address = await sonos.get_by_role("link", name="Open the page").get_attribute("href")
    await person.goto(demo.gateways[0] + (address or ""))
    await picture(person, "sign-in")
    await person.get_by_label("Name").fill(NAME)
    await person.get_by_label("Password").fill("wrong")
    await person.get_by_role("button", name="Sign in").click()
    await picture(person, "sign-in-problem")
    problem = await person.get_by_role("alert").text_content()
    await person.get_by_label("Name").fill(NAME)
    await person.get_by_label("Password").fill(PASSWORD)
    await person.get_by_role("button", name="Sign in").click()
    await picture(person, "confirm")
    await person.get_by_role("button", name="Allow").click()
    await picture(person, "done")
    done = await person.get_by_role("heading", level=1).text_content()
    await sonos.reload()
    await picture(sonos, "try-out-linked")
    status = await sonos.get_by_role("status").text_content()

    assert "You have 4 more tries." in (problem or "")
    assert "Your Sonos system is linked" == done
    assert "Linked." in (status or "")


async def test_allow_and_decline_are_equally_prominent(demo: System, phone: BrowserContext) -> None:
    """Same size, same colours, side by side."""
    sonos, person = await phone.new_page(), await phone.new_page()
    await sonos.goto(demo.gateways[0])
    await sonos.get_by_role("button", name="Add the service").click()
    address = await sonos.get_by_role("link", name="Open the page").get_attribute("href")
    await person.goto(demo.gateways[0] + (address or ""))
    await person.get_by_label("Name").fill(NAME)
    await person.get_by_label("Password").fill(PASSWORD)
    await person.get_by_role("button", name="Sign in").click()
    boxes = [await person.get_by_role("button", name=name).bounding_box() for name in ("Allow", "Decline")]

    assert all(boxes)
    assert len({(box["width"], box["height"]) for box in boxes if box}) == 1


async def test_pages_ask_nobody_else_for_anything(demo: System, phone: BrowserContext) -> None:
    """Every request of every page goes to the host that served it."""
    asked: list[str] = []
    page = await phone.new_page()
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(demo.gateways[0])
    await page.get_by_role("button", name="Add the service").click()
    address = await page.get_by_role("link", name="Open the page").get_attribute("href")
    await page.goto(demo.gateways[0] + (address or ""))

    assert [] == [url for url in asked if not url.startswith(f"{demo.gateways[0]}/")]
