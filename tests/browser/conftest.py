"""One Chromium for the tests of a module's worth of pages."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.looking import ARGUMENTS


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """The machine's Chromium, started for one test."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        await launched.close()
