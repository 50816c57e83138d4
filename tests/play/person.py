"""A person with a browser: opens pages, fills in forms, presses buttons; keeps cookies; runs no scripts."""

import asyncio
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin

import aiohttp
from lxml import html

PATIENCE = 60.0
"""Seconds for which a person looks at a page that says "One moment"."""
RELOAD_SECONDS = 0.02
"""Between two looks at it."""
NAME, PASSWORD = "ann", "canary-password-of-ann"


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page as a person sees it."""

    url: str
    status: int
    tree: html.HtmlElement
    headers: "aiohttp.typedefs.LooseHeaders"

    @property
    def title(self) -> str:
        """Return the heading."""
        return self.tree.findtext(".//h1") or ""

    @property
    def text(self) -> str:
        """Return all that can be read."""
        return " ".join(self.tree.text_content().split())

    @property
    def buttons(self) -> dict[str, html.FormElement]:
        """Return the forms by the words on their buttons."""
        return {form.findtext(".//button") or "": form for form in self.tree.forms}

    @property
    def links(self) -> dict[str, str]:
        """Return the addresses by the words that lead there."""
        links = self.tree.xpath("//a[@href]")
        return {link.text_content().strip(): urljoin(self.url, link.get("href")) for link in links}

    @property
    def way_back(self) -> str | None:
        """Return where "Back to the Sonos app" leads."""
        links = self.tree.xpath('//a[contains(., "Back to the Sonos app")]/@href')
        return str(links[0]) if links else None


class Person:
    """One browser session."""

    def __init__(self) -> None:
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def open(self, url: str) -> Page:
        """Open an address and wait until the page no longer says "One moment"."""
        async with asyncio.timeout(PATIENCE):
            while True:
                async with self.http.get(url) as response:
                    page = await _page(response)
                if not page.title.startswith("One moment"):
                    return page
                url = page.url
                # A browser is told to come again in two seconds; without any pause the page would be asked for nothing else.
                await asyncio.sleep(RELOAD_SECONDS)

    async def press(self, page: Page, button: str, **fields: str) -> Page:
        """Fill in a form and press its button."""
        form = page.buttons[button]
        values = {name: value or "" for name, value in form.fields.items()} | fields
        async with self.http.post(urljoin(page.url, form.action), data=values) as response:
            after = await _page(response)
        return await self.open(after.url) if after.title.startswith("One moment") else after

    async def follow(self, page: Page, words: str) -> Page:
        """Follow a link, wherever it leads in the end."""
        return await self.open(page.links[words])

    async def sent_to(self, url: str) -> str:
        """Open an address, and return where it sends the browser, without going there."""
        async with self.http.get(url, allow_redirects=False) as response:
            assert response.status == 303, await response.text()
            return urljoin(url, response.headers["Location"])

    async def sign_in(self, reg_url: str, *, name: str = NAME, password: str = PASSWORD) -> Page:
        """Open the page that Sonos opened, and sign in."""
        return await self.press(await self.open(reg_url), "Sign in", name=name, password=password)

    async def complete(self, reg_url: str, *, name: str = NAME, password: str = PASSWORD) -> Page:
        """Sign in and allow."""
        return await self.press(await self.sign_in(reg_url, name=name, password=password), "Allow")


async def _page(response: aiohttp.ClientResponse) -> Page:
    tree = html.fromstring(await response.text())
    return Page(url=str(response.url), status=response.status, tree=tree, headers=response.headers)
