"""The pages in a real browser, without JavaScript, as wide as a phone: what a person sees when linking."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

from tests.browser.looking import settled
from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.person import NAME, PASSWORD
from tests.play.sonos import Sonos

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
async def system(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """An embedded installation with one account."""
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://") as prepared:
        await add_account(prepared)
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


async def begun(system: System) -> str:
    """Begin a link as Sonos does, and return the address of its page."""
    async with aiohttp.ClientSession() as http:
        return (await Sonos(http, system.endpoint).get_app_link()).reg_url


@pytest.fixture
async def phone(chromium: Path) -> AsyncIterator[BrowserContext]:
    """A phone's browser with JavaScript switched off."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield await browser.new_context(viewport={"width": 320, "height": 700}, java_script_enabled=False)
        await browser.close()


async def picture(page: Page, name: str) -> None:
    """Keep a picture of what comes in the end, and expect that nothing sticks out to the side."""
    await settled(page)
    ARTEFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
    box = await page.locator("main").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320


async def test_person_signs_in_and_allows(system: System, phone: BrowserContext) -> None:
    """Wrong password, right password, allow; and the link is done."""
    person = await phone.new_page()
    await person.goto(await begun(system))
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

    assert "You have 4 more tries." in (problem or "")
    assert "Your Sonos system is linked" == done


async def test_allow_and_decline_are_equally_prominent(system: System, phone: BrowserContext) -> None:
    """Same size, same colours, side by side."""
    person = await phone.new_page()
    await person.goto(await begun(system))
    await person.get_by_label("Name").fill(NAME)
    await person.get_by_label("Password").fill(PASSWORD)
    await person.get_by_role("button", name="Sign in").click()
    boxes = [await person.get_by_role("button", name=name).bounding_box() for name in ("Allow", "Decline")]

    assert all(boxes)
    assert len({(box["width"], box["height"]) for box in boxes if box}) == 1


async def test_pages_ask_nobody_else_for_anything(system: System, phone: BrowserContext) -> None:
    """Every request of every page goes to the host that served it."""
    asked: list[str] = []
    page = await phone.new_page()
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(await begun(system))

    assert asked
    assert [] == [url for url in asked if not url.startswith(f"{system.gateways[0]}/")]
