"""Every page in every case it has, as wide as a small phone: in each language, light and dark, and enlarged."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route

from gateway.pages import languages, rendering
from gateway.pages.languages import LANGUAGES
from gateway.pages.rendering import OtherLanguage, Pages
from gateway.pages.samples import samples
from shared.settings import ServiceSettings, load
from tests.browser.axe import violations
from tests.browser.looking import layout_problems, picture

ADDRESS = "http://pages.test/link/example"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """Our own templates and style sheet."""
    return rendering.open_pages(
        load(
            database_url=f"sqlite+aiosqlite:///{tmp_path / 'none.db'}",
            broker_url="memory://",
            keys_dir=tmp_path,
            public_url="http://pages.test",
            services={"default": {"title": "Hörfunk"}},
        )
    )


class Shelf:
    """Serves one page after the other to a browser, and whatever belongs to it."""

    def __init__(self, pages: Pages, page: Page) -> None:
        self.pages, self.page, self.text = pages, page, ""
        self.strangers: list[str] = []

    async def serve(self, route: Route) -> None:
        """Answer a request; what is not ours is noted and not answered."""
        path = route.request.url.removeprefix("http://pages.test")
        if asset := self.pages.assets.get(path):
            await route.fulfill(body=asset.content, content_type=asset.content_type)
        elif path == "/link/example":
            await route.fulfill(body=self.text, content_type="text/html")
        else:
            self.strangers.append(route.request.url)
            await route.abort()

    async def show(self, name: str, values: Mapping[str, object]) -> Page:
        """Open a page."""
        others = [
            OtherLanguage(code=code, name=title, address=f"/link/example?lang={code}")
            for code, title in LANGUAGES.items()
        ]
        service = ServiceSettings(title="Hörfunk")
        self.text = self.pages.render(name, service, values, others)
        await self.page.goto(ADDRESS)
        return self.page


@asynccontextmanager
async def opened(pages: Pages, browser: Browser, *, width: int, **options: object) -> AsyncIterator[Shelf]:
    context = await browser.new_context(viewport={"width": width, "height": 700}, **options)  # type: ignore[arg-type]
    shelf = Shelf(pages, await context.new_page())
    await context.route("**/*", shelf.serve)
    yield shelf
    assert [] == shelf.strangers


def cases() -> Iterator[tuple[str, str, Mapping[str, object]]]:
    for name, examples in samples().items():
        for number, values in enumerate(examples):
            yield f"{name}-{number}", name, values


@pytest.mark.parametrize("language", LANGUAGES)
async def test_page_fits_in_every_language(pages: Pages, browser: Browser, language: str) -> None:
    """No word of any language is cut, sticks out or pushes a button onto another, 320 pixels wide."""
    problems = {}
    async with opened(pages, browser, width=320) as shelf:
        with languages.spoken(language):
            for case, name, values in cases():
                page = await shelf.show(name, values)
                if case.endswith("-0"):
                    await picture(page, f"{name}-{language}")
                problems[case] = await layout_problems(page)

    assert {} == {case: found for case, found in problems.items() if found}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(pages: Pages, browser: Browser, scheme: str) -> None:
    """Contrast, names, roles and structure of every page, in both colour schemes, with everything unfolded."""
    problems = {}
    async with opened(pages, browser, width=1024, color_scheme=scheme, reduced_motion="reduce") as shelf:
        for case, name, values in cases():
            page = await shelf.show(name, values)
            await page.evaluate(
                "document.querySelectorAll('details').forEach((each) => { each.open = true })"
            )
            if case.endswith("-0"):
                await picture(page, f"{name}-{scheme}-wide")
            problems[case] = [*await violations(page), *await layout_problems(page)]

    assert {} == {case: found for case, found in problems.items() if found}


@pytest.mark.parametrize(("width", "language"), [(640, "de"), (320, "en")])
async def test_page_fits_with_text_twice_as_large(
    pages: Pages, browser: Browser, width: int, language: str
) -> None:
    """Text of 200 % on a window of 1280 zoomed to 200 %, and on the smallest phone: still nothing is cut."""
    problems = {}
    async with opened(pages, browser, width=width, device_scale_factor=2) as shelf:
        with languages.spoken(language):
            for case, name, values in cases():
                page = await shelf.show(name, values)
                await page.evaluate("document.documentElement.style.fontSize = '200%'")
                problems[case] = await layout_problems(page)

    assert {} == {case: found for case, found in problems.items() if found}


async def test_everything_is_reached_by_keyboard_and_shows_it(pages: Pages, browser: Browser) -> None:
    """The tabulator visits every field, button and link once, in the order of reading, each with a visible outline."""
    async with opened(pages, browser, width=480) as shelf:
        for case, name, values in cases():
            page = await shelf.show(name, values)
            targets = "[...document.querySelectorAll('a, button, input:not([type=hidden]), summary')].filter((each) => each.checkVisibility())"
            count = await page.evaluate(f"{targets}.length")
            visited, outlines = [], []
            for _ in range(count):
                await page.keyboard.press("Tab")
                visited.append(await page.evaluate(f"{targets}.indexOf(document.activeElement)"))
                outlines.append(
                    await page.evaluate(
                        "parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2"
                    )
                )

            assert list(range(count)) == visited, case
            assert all(outlines), case


async def test_nothing_moves_for_those_who_want_it_still(pages: Pages, browser: Browser) -> None:
    """The only thing that ever moves stands still under `prefers-reduced-motion`."""
    animations = []
    for motion in ("no-preference", "reduce"):
        async with opened(pages, browser, width=480, reduced_motion=motion) as shelf:
            page = await shelf.show("waiting", {})
            animations.append(await page.evaluate("document.getAnimations().length"))

    assert [1, 0] == animations


async def test_flaws_are_found(browser: Browser) -> None:
    """The measuring itself is not blind: each kind of flaw is named."""
    page = await browser.new_page(viewport={"width": 320, "height": 700})
    await page.set_content(
        "<p style='width: 900px'>wide</p><p style='overflow: hidden; width: 50px; white-space: nowrap'>cut off here</p>"
        "<button style='position: absolute; left: 0; top: 0; width: 90px; height: 50px'>one</button>"
        "<a href='' style='position: absolute; left: 50px; top: 0; display: block; width: 90px; height: 50px'>two</a>"
        "<button style='width: 20px; height: 20px; padding: 0'>more than fits</button>"
    )
    found = " ".join(await layout_problems(page))

    for flaw in ("scrolls sideways", "is cut", "overlaps", "small target", "does not fit"):
        assert flaw in found
