"""What people do, in a real browser on a running system; each page is looked at on the way."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.looking import ARTEFACTS, look, picture, settled
from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.past import age_link
from tests.play.person import NAME, PASSWORD
from tests.play.sonos import Link, Sonos, pair_of


@pytest.fixture
async def system(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """One process, with one account of a service that has a name."""
    extra = {"LATCHKEY_SERVICES": json.dumps({"default": {"title": "Hörfunk", "typed_codes": True}})}
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://", extra=extra) as prepared:
        await add_account(prepared)
        prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


@pytest.fixture
async def sonos(system: System) -> AsyncIterator[Sonos]:
    """A Sonos system."""
    async with aiohttp.ClientSession() as http:
        yield Sonos(http, system.endpoint)


@pytest.fixture
async def phone(browser: Browser) -> BrowserContext:
    """A small phone."""
    return await browser.new_context(viewport={"width": 320, "height": 640}, device_scale_factor=2)


async def sign_in(page: Page, *, password: str = PASSWORD) -> None:
    await page.get_by_label("Name").fill(NAME)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def heading(page: Page) -> str:
    await settled(page)
    return (await page.get_by_role("heading", level=1).text_content() or "").strip()


async def linked(page: Page, sonos: Sonos) -> Link:
    link = await sonos.get_app_link()
    await page.goto(link.reg_url)
    await sign_in(page)
    await page.get_by_role("button", name="Allow").click()
    assert "Your Sonos system is linked" == await heading(page)
    return link


async def test_link_on_a_phone(phone: BrowserContext, sonos: Sonos) -> None:
    """A wrong password, the right one, allow; and Sonos has its pair. Nobody else was asked for anything."""
    link, page = await sonos.get_app_link(), await phone.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(link.reg_url)
    await look(page, "flow-1-sign-in")
    await sign_in(page, password="wrong")
    await look(page, "flow-2-wrong-password")
    problem = await page.get_by_role("alert").text_content()
    await sign_in(page)
    await look(page, "flow-3-confirm")
    boxes = [await page.get_by_role("button", name=name).bounding_box() for name in ("Allow", "Decline")]
    style = "(each) => JSON.stringify(['backgroundColor', 'color', 'fontSize', 'fontWeight', 'borderColor'].map((name) => getComputedStyle(each)[name]))"
    styles = [await page.get_by_role("button", name=name).evaluate(style) for name in ("Allow", "Decline")]
    await page.get_by_role("button", name="Allow").click()
    await look(page, "flow-4-done")
    answer = await sonos.poll(link)

    assert "You have 4 more tries." in (problem or "")
    assert all(boxes)
    assert 1 == len({(box["width"], box["height"]) for box in boxes if box})
    assert styles[0] == styles[1]
    assert (await sonos.root(pair_of(answer))).fault is None
    origin = sonos.endpoint.removesuffix("smapi")
    assert [] == [url for url in asked if not url.startswith((origin, "sonos-2:"))]


async def test_decline_in_the_dark(browser: Browser, sonos: Sonos) -> None:
    """After signing in, on a wide dark screen."""
    context = await browser.new_context(viewport={"width": 1024, "height": 768}, color_scheme="dark")
    link, page = await sonos.get_app_link(), await context.new_page()
    await page.goto(link.reg_url)
    await look(page, "dark-1-sign-in")
    await sign_in(page)
    await look(page, "dark-2-confirm")
    await page.get_by_role("button", name="Decline").click()
    await look(page, "dark-3-declined")

    assert "You declined" == await heading(page)
    assert "Client.NOT_LINKED_FAILURE" == (await sonos.poll(link)).fault


async def test_time_runs_out_between_two_pages(phone: BrowserContext, system: System, sonos: Sonos) -> None:
    """Whoever allows too late is told so, and nothing is linked."""
    link, page = await sonos.get_app_link(), await phone.new_page()
    await page.goto(link.reg_url)
    await sign_in(page)
    await age_link(system)
    await page.get_by_role("button", name="Allow").click()
    await look(page, "expired")

    assert "This link is not valid any more" == await heading(page)
    assert (await sonos.poll(link)).fault in {"Client.NOT_LINKED_FAILURE", "Client.NOT_LINKED_RETRY"}


async def test_two_tabs_and_the_way_back(phone: BrowserContext, sonos: Sonos) -> None:
    """The same link in two tabs is one link; going back after signing in shows where it stands, not the form again."""
    link = await sonos.get_app_link()
    first, second = await phone.new_page(), await phone.new_page()
    await first.goto(link.reg_url)
    await second.goto(link.reg_url)
    await sign_in(first)
    await sign_in(second)
    confirms = [await heading(first), await heading(second)]
    await first.get_by_role("button", name="Allow").click()
    await second.get_by_role("button", name="Allow").click()
    done = [await heading(first), await heading(second)]
    await first.go_back()
    back = await heading(first)

    assert ["Let this Sonos system play your music?"] * 2 == confirms
    assert ["Your Sonos system is linked"] * 3 == [*done, back]


async def test_another_browser_is_told_that_the_link_is_taken(browser: Browser, sonos: Sonos) -> None:
    """Whoever opens the link that somebody has signed in to sees nothing of it."""
    link = await sonos.get_app_link()
    mine, other = [await (await browser.new_context()).new_page() for _ in range(2)]
    await mine.goto(link.reg_url)
    await sign_in(mine)
    await other.goto(link.reg_url)
    await look(other, "taken")

    assert "This link is used in another browser" == await heading(other)


async def test_everything_without_scripts_in_german(browser: Browser, sonos: Sonos) -> None:
    """The browser's language is spoken; another one is chosen on the page and remembered."""
    context = await browser.new_context(
        java_script_enabled=False, locale="de-AT", viewport={"width": 480, "height": 800}
    )
    link, page = await sonos.get_app_link(), await context.new_page()
    await page.goto(link.reg_url)
    german = await heading(page)
    await picture(page, "german-without-scripts")
    await page.locator("summary").click()
    await page.get_by_role("link", name="Français").click()
    french = await heading(page)
    await page.goto(link.reg_url)
    remembered = await heading(page)
    await page.get_by_label("Nom").fill(NAME)
    await page.get_by_label("Mot de passe").fill(PASSWORD)
    await page.get_by_role("button", name="Se connecter").click()
    await page.get_by_role("button", name="Autoriser").click()
    cookies = {cookie["name"]: cookie["value"] for cookie in await context.cookies()}

    assert "Anmelden und Sonos verknüpfen" == german
    assert ["Connectez-vous pour associer Sonos"] * 2 == [french, remembered]
    assert "Votre système Sonos est associé" == await heading(page)
    assert "fr" == cookies["latchkey-language"]


async def test_code_is_typed(phone: BrowserContext, system: System) -> None:
    """A code that nobody waits for, on the page for codes."""
    page = await phone.new_page()
    await page.goto(f"{system.gateways[0]}/enter")
    await page.get_by_label("Code").fill("BCDFGHJK")
    await page.get_by_role("button", name="Go on").click()
    await look(page, "wrong-code")

    assert "No Sonos system is waiting" in (await page.get_by_role("alert").text_content() or "")


async def test_household_page_from_the_first_look_to_the_last(
    phone: BrowserContext, system: System, sonos: Sonos
) -> None:
    """See, unlink, download, erase, all by hand; and the token is dead when the page says so."""
    page = await phone.new_page()
    answer = await sonos.poll(await linked(page, sonos))
    await page.goto(f"{system.gateways[0]}/household")
    await look(page, "household-1-sign-in")
    await sign_in(page)
    await look(page, "household-2-home")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download all").click()
    content = json.loads(Path(await (await download.value).path()).read_text())
    await page.locator(".systems summary").click()
    await look(page, "household-3-unlink")
    await page.get_by_role("button", name="Unlink now").click()
    await look(page, "household-4-unlinked")
    said = await page.get_by_role("status").text_content()
    dead = await sonos.root(pair_of(answer))
    await page.get_by_role("link", name="Erase this account").click()
    await look(page, "household-5-erase")
    await sign_in(page)
    await look(page, "household-6-sure")
    await page.get_by_role("button", name="Erase").click()
    await look(page, "household-7-erased")
    erased = await heading(page)
    await page.goto(f"{system.gateways[0]}/household")

    assert (sonos.household, "It is unlinked.") == (content["systems"][0]["household"], said)
    assert "Client.AuthTokenExpired" == dead.fault
    assert "Your account is erased" == erased
    assert "Sign in to see your Sonos systems" == await heading(page)


async def test_bare_errors_have_a_page(phone: BrowserContext, system: System) -> None:
    """An address that leads nowhere, and a form that is not from this browser."""
    page = await phone.new_page()
    await page.goto(f"{system.gateways[0]}/household/nobody")
    await look(page, "nothing-here")

    assert "There is nothing here" == await heading(page)


async def test_pictures_of_the_readme(browser: Browser, system: System, sonos: Sonos) -> None:
    """Three pages of a link, and the household page in the dark; `make pictures` puts them into docs/pictures."""
    shots: dict[str, list[bytes]] = {"link": [], "household": []}
    for scheme in ("light", "dark"):
        context = await browser.new_context(
            viewport={"width": 380, "height": 720}, color_scheme=scheme, device_scale_factor=1
        )
        page = await context.new_page()
        link = await sonos.get_app_link()
        await page.goto(link.reg_url)
        await settled(page)
        if scheme == "light":
            shots["link"].append(await page.screenshot())
        await sign_in(page)
        await settled(page)
        shots["link"].append(await page.screenshot())
        await page.get_by_role("button", name="Allow").click()
        await page.goto(f"{system.gateways[0]}/household")
        await sign_in(page)
        await page.get_by_text("What happened lately").wait_for()
        shots["household"].append(await page.screenshot())
    for name, pictures in shots.items():
        sheet = await browser.new_page(viewport={"width": len(pictures) * 396 + 16, "height": 100})
        images = "".join(
            f"<img src='data:image/png;base64,{base64.b64encode(each).decode()}'>" for each in pictures
        )
        await sheet.set_content(
            "<body style='display: flex; align-items: start; gap: 16px; margin: 0; padding: 16px; background: #8a857c'>"
            f"{images}</body>"
        )
        await picture(sheet, f"readme-{name}")

        assert (ARTEFACTS / f"readme-{name}.png").stat().st_size < 150_000
