"""The example of an app, as docs/app-authentication.md has it tried: a phone's browser at another origin than Latchkey's."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, async_playwright

from tests.browser.test_pages import ARGUMENTS, picture
from tests.play.operator import EMBEDDED, System, deployment
from tests.play.ports import free_port
from tests.play.sonos import CALLBACK, Link, Sonos, pair_of

EXAMPLE = Path(__file__).parents[2] / "docs/examples/app"


@pytest.fixture
async def example(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """Latchkey with the example's own settings, but for the ports, and the example's server beside it."""
    port = str(free_port())
    config = tmp_path / "latchkey.toml"
    config.write_text((EXAMPLE / "latchkey.toml").read_text().replace("8081", port))
    with deployment(
        tmp_path, database_url=sqlite_url, broker_url="memory://", extra={"LATCHKEY_CONFIG": str(config)}
    ) as system:
        system.start_gateway("embedded", ("-c", EMBEDDED))
        await system.ready()
        command = [
            sys.executable,
            str(EXAMPLE / "serve.py"),
            "--port",
            port,
            "--latchkey",
            system.gateways[0],
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:  # noqa: ASYNC220 - starts once
            assert server.stdout is not None
            assert port in server.stdout.readline().decode()
            yield system
            server.terminate()


@pytest.fixture
async def phone(chromium: Path) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = await browser.new_context(viewport={"width": 320, "height": 700})
        yield await context.new_page()
        await browser.close()


async def opened(example: System, phone: Page, http: aiohttp.ClientSession) -> tuple[Sonos, Link]:
    """Let Sonos open the app for a link, and sign in there."""
    sonos = Sonos(http, example.endpoint)
    arguments = {"householdId": sonos.household, "hardware": "iPhone17,5", "callbackPath": CALLBACK}
    answer = await sonos.call("getAppLink", arguments)
    await phone.goto(answer["appUrl"])
    await phone.get_by_label("Who are you?").fill("Ann")
    await phone.get_by_role("button", name="Sign in").click()
    await phone.get_by_role("heading", name="Link a Sonos system to your account?").wait_for()
    return sonos, Link(reg_url=answer["regUrl"], code=answer["linkCode"], device_id=answer["linkDeviceId"])


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def test_allowing_in_the_app(example: System, phone: Page, http: aiohttp.ClientSession) -> None:
    """The app says who asks, allows across origins with its bearer token, and leads back to Sonos, which has its pair."""
    sonos, link = await opened(example, phone, http)
    text = await phone.locator("#asking").inner_text()
    await picture(phone, "example-app")
    sizes = [await phone.get_by_role("button", name=name).bounding_box() for name in ("Decline", "Allow")]
    await phone.get_by_role("button", name="Allow").click()
    await phone.get_by_role("heading", name="Your Sonos system is linked").wait_for()
    way_back = await phone.get_by_role("link", name="Back to the Sonos app").get_attribute("href")
    polled = await sonos.poll(link)

    assert all(words in text for words in ("Moonlight", "an iPhone", "less than a minute ago"))
    assert 1 == len({(box["width"], box["height"]) for box in sizes if box})
    assert CALLBACK == way_back
    assert "Ann" == polled["nickname"]
    assert (await sonos.root(pair_of(polled))).fault is None


async def test_declining_in_the_app(example: System, phone: Page, http: aiohttp.ClientSession) -> None:
    """Sonos stops asking."""
    sonos, link = await opened(example, phone, http)
    await phone.get_by_role("button", name="Decline").click()
    await phone.get_by_role("heading", name="You have declined").wait_for()

    assert "Client.NOT_LINKED_FAILURE" == (await sonos.poll(link)).fault
