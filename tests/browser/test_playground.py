"""The playground in a real browser: its whole round, pressed as a person presses it, in every light and width."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.browser.axe import violations
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
LIGHTS = (
    ("dark", "dark", 1280),
    ("zoomed", "light", 640),
    ("phone", "light", 320),
    ("phone-dark", "dark", 320),
)
"""Name, colours, width; 640 is what 200 % leave of a desk's 1280."""
STICKS_OUT = """() => {
    const edges = document.querySelector(".inside").getBoundingClientRect();
    return [...document.querySelectorAll(".inside *:not(.away)")]
        .filter((each) => each.checkVisibility())
        .filter((each) => {
            const box = each.getBoundingClientRect();
            return box.left < edges.left || box.right > edges.right;
        })
        .map((each) => each.textContent.trim());
}"""
"""The words of whatever reaches over the edges of the diagram."""
PATIENCE = 20_000
"""Milliseconds."""


@pytest.fixture
async def demo(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """An embedded installation with the playground."""
    extra = {"LATCHKEY_DEMO": "true"}
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://", extra=extra) as system:
        await add_account(system)
        system.start_gateway("embedded", ("-c", EMBEDDED))
        await system.ready()
        yield system


@pytest.fixture
async def desktop(chromium: Path) -> AsyncIterator[BrowserContext]:
    """A browser on a desk."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield await browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        await browser.close()


@dataclass(frozen=True, kw_only=True)
class Player:
    """A person in front of the playground."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """What the browser's console says."""

    @property
    def latest(self) -> str:
        """Return how the latest scene is found."""
        return ".scene:first-child"

    async def press(self, button: str, outcome: str) -> None:
        """Press a button, and wait for what the scene came to."""
        before = await self.page.locator(".scene").count()
        await self.page.get_by_role("button", name=button).click()
        await expect(self.page.locator(".scene")).to_have_count(before + 1, timeout=PATIENCE)
        await expect(self.page.locator(f"{self.latest} .outcome")).to_have_text(outcome, timeout=PATIENCE)

    async def poll(self) -> None:
        """Poll, by hand or just before by itself, and be told that it is not done."""
        await self.page.get_by_role("button", name="Poll").click()
        outcome = self.page.locator(f"{self.latest} .outcome")
        await expect(outcome).to_have_text("NOT_LINKED_RETRY", timeout=PATIENCE)

    async def steps(self, *expected: str) -> None:
        """Expect steps in the latest scene, in this order, among others: `gateway to bus: link.requested`."""
        found = self.page.locator(f"{self.latest} .label")
        for step in expected:
            await expect(found.filter(has_text=step).first).to_be_attached(timeout=PATIENCE)
        texts = [" ".join(text.split()) for text in await found.all_text_contents()]
        places = [texts.index(step) for step in expected if step in texts]
        assert (len(expected), sorted(places)) == (len(places), places), texts

    async def sign_in(self) -> None:
        """Open the sign-in page in its own tab, sign in there, and allow."""
        async with self.page.context.expect_page() as opening:
            await self.page.get_by_role("link", name="Open the sign-in page").click()
        page = await opening.value
        await page.get_by_label("Name").fill(NAME)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name="Allow").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("linked")
        await page.close()

    async def linked(self) -> None:
        """Wait until Sonos, which polls by itself, has its token."""
        status = self.page.get_by_role("status")
        await expect(status).to_contain_text("Every call of this Sonos system carries", timeout=PATIENCE)

    async def picture(self, name: str) -> None:
        """Keep a picture, expect that nothing sticks out to the side, and ask axe."""
        ARTEFACTS.mkdir(exist_ok=True)
        await self.page.evaluate("scrollTo(0, 0)")
        await self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert [] == await self.page.evaluate(STICKS_OUT)
        assert [] == await violations(self.page)


async def opened(context: BrowserContext, address: str) -> Player:
    """Open a page of the playground, and wait until it is told how things stand."""
    player = Player(page=await context.new_page())
    player.page.on("console", lambda message: player.complaints.append(message.text))
    player.page.on("pageerror", lambda error: player.complaints.append(str(error)))
    await player.page.goto(address)
    await expect(player.page.get_by_role("status")).not_to_be_empty(timeout=PATIENCE)
    return player


async def test_whole_round(demo: System, desktop: BrowserContext) -> None:
    """Add, sign in, browse, expire, refresh, revoke, reauthorize, break and mend: each as it happens, and pictures of it."""
    asked: list[str] = []
    desktop.on("request", lambda request: asked.append(request.url))
    player = await opened(desktop, demo.gateways[0])
    await player.picture("playground-begin")

    await player.press("Add the service", "link code")
    await expect(player.page.locator(".label", has_text="audit_events link.requested")).to_be_visible()
    await player.steps(
        "Sonos to gateway: getAppLink",
        "gateway to bus: link.requested",
        "bus to auth_worker: link.requested",
        "auth_worker to database: + links requested",
    )
    await player.poll()
    await player.picture("playground-pending")
    await player.sign_in()
    await player.linked()
    await player.steps(
        "Sonos to gateway: getDeviceAuthToken",
        "gateway to database: reads links, deliveries",
        "gateway to Sonos: authToken, privateKey",
    )
    await player.picture("playground-linked")

    await player.press("Browse", "answered")
    # Told behind the answer; together with what comes next it would be another step.
    await player.steps("token_worker to database: grants: seen_generation 0 → 1")
    await player.press("Let the token expire", "expired")
    await player.press("Browse", "refreshed, and answered")
    await player.steps(
        "Sonos to gateway: getMetadata",
        "gateway to bus: token.refresh_requested",
        "token_worker to database: grants: generation 1 → 2",
        "bus to gateway: token.refreshed",
        "gateway to Sonos: Client.TokenRefreshRequired",
        f"gateway to Sonos: “Linked to Latchkey as {NAME}”",
    )
    await player.press("Refresh", "refreshed")
    await player.steps("token_worker to database: grants: generation 2 → 3")
    await player.press("Revoke", "ended")
    await player.steps(
        "gateway to bus: token.revoke_requested",
        "token_worker to database: grants: status active → revoked",
        "bus to gateway: token.family_ended",
    )
    await player.press("Browse", "AuthTokenExpired")
    await player.press("Reauthorize", "link code")
    await player.sign_in()
    await player.linked()
    await player.press("Break the broker", "broken")
    await player.press("Refresh", "ServiceUnavailable")
    await player.steps(
        "gateway to bus: token.refresh_requested", "gateway to Sonos: Server.ServiceUnavailable"
    )
    await player.press("Browse", "answered")
    await player.press("Mend the broker", "mended")
    await player.press("Refresh", "refreshed")
    for summary in await player.page.locator(f"{player.latest} summary").all():
        await summary.click()
    await player.picture("playground-opened")
    await _in_every_light(player)

    assert [] == player.complaints
    assert [] == [url for url in asked if not url.startswith(f"{demo.gateways[0]}/")]


async def _in_every_light(player: Player) -> None:
    """Keep pictures in the dark, and as narrow as the narrowest phone."""
    for summary in await player.page.locator(f"{player.latest} summary").all():
        await summary.click()
    for name, scheme, width in LIGHTS:
        await player.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await player.page.set_viewport_size({"width": width, "height": 800})
        await player.picture(f"playground-{name}")


async def test_declined_link_fails(demo: System, desktop: BrowserContext) -> None:
    """The person says no, and the Sonos that polls by itself is told so."""
    player = await opened(desktop, demo.gateways[0])
    await player.press("Add the service", "link code")
    person = await desktop.new_page()
    await person.goto(demo.gateways[0] + f"/play/{await _play(player)}/sign-in")
    await person.get_by_label("Name").fill(NAME)
    await person.get_by_label("Password").fill(PASSWORD)
    await person.get_by_role("button", name="Sign in").click()
    await person.get_by_role("button", name="Decline").click()
    await expect(player.page.get_by_role("heading", name="The person says no")).to_be_visible(
        timeout=PATIENCE
    )
    await expect(player.page.locator(".outcome", has_text="NOT_LINKED_FAILURE")).to_be_visible(
        timeout=PATIENCE
    )
    await expect(player.page.get_by_role("status")).to_contain_text("Nothing is linked")


async def test_everything_is_reached_by_keyboard(demo: System, desktop: BrowserContext) -> None:
    """Tab and Enter press buttons and open lines; what is pressed keeps the focus."""
    page = (await opened(desktop, demo.gateways[0])).page
    for name in ("Skip to the diagram", "Add the service"):
        await page.keyboard.press("Tab")
        await expect(page.locator(":focus")).to_contain_text(name)
    await page.keyboard.press("Enter")
    line = page.locator("summary", has_text="regUrl, linkCode")
    await expect(line).to_be_visible(timeout=PATIENCE)
    await expect(page.locator(":focus")).to_contain_text("Add the service")
    await line.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("pre:visible")).to_contain_text("<ns:linkCode>")
    await page.get_by_role("button", name="Break the broker").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(":focus")).to_contain_text("Mend the broker", timeout=PATIENCE)


async def test_tab_comes_back(demo: System, desktop: BrowserContext) -> None:
    """Loaded again, and after its connection was lost, it shows what happened, and goes on."""
    player = await opened(desktop, demo.gateways[0])
    await player.press("Add the service", "link code")
    await player.page.reload()
    await expect(player.page.locator(".scene")).to_have_count(1, timeout=PATIENCE)
    await desktop.set_offline(True)
    await player.page.get_by_role("button", name="Poll").click()
    await expect(player.page.get_by_role("alert")).to_contain_text("does not answer")
    await desktop.set_offline(False)
    await player.poll()
    await expect(player.page.locator(".scene")).to_have_count(2)


async def _play(player: Player) -> str:
    return await player.page.locator("body").get_attribute("data-play") or ""
