"""axe-core in a page: what a screen reader, a keyboard or weak eyes would trip over."""

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page


async def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with a page: its rule, and the elements."""
    results = await Axe().run(page)
    return [
        f"{violation['id']}: {node['target']}: {node['failureSummary']}"
        for violation in results.response["violations"]
        for node in violation["nodes"]
    ]
