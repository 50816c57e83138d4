"""Looks at a page as a careful person would: nothing sticks out, nothing is cut, nothing lies on top of something else."""

import os
from pathlib import Path

from playwright.async_api import Page

from tests.browser.axe import violations

ARTEFACTS = Path(os.environ.get("TEST_ARTIFACTS", "test-artifacts")).absolute()
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

_MEASURE = """
() => {
  const problems = [];
  const root = document.documentElement;
  const name = (element) => element.tagName.toLowerCase() + ' "' + (element.textContent || element.name || '').trim().slice(0, 40) + '"';
  if (root.scrollWidth > root.clientWidth) problems.push('the page scrolls sideways: ' + root.scrollWidth + ' > ' + root.clientWidth);
  const seen = (element) => element.checkVisibility() && !element.closest('.unseen') && !element.closest('[type=hidden]');
  for (const element of document.body.querySelectorAll('*')) {
    if (!seen(element) || element.closest('svg')) continue;
    const own = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    if (!own.length && element.tagName !== 'INPUT' && element.tagName !== 'IMG') continue;
    if (getComputedStyle(element).overflow !== 'visible' && element.tagName !== 'INPUT' && element.tagName !== 'PRE'
        && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)) problems.push(name(element) + ' is cut');
    for (const node of own) {
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const box of range.getClientRects()) {
        if (box.left < -0.5 || box.right > root.clientWidth + 0.5) problems.push(name(element) + ' sticks out');
        const inside = element.closest('button, .button, summary');
        const frame = inside && inside.getBoundingClientRect();
        if (frame && !inside.matches('.unseen *') && box.width > 1 && (box.left < frame.left - 0.5 || box.right > frame.right + 0.5
            || box.top < frame.top - 0.5 || box.bottom > frame.bottom + 0.5)) problems.push(name(element) + ' does not fit into its button');
      }
    }
  }
  const targets = [...document.querySelectorAll('a, button, input, summary')].filter(seen);
  const boxes = targets.map((element) => element.getBoundingClientRect());
  boxes.forEach((box, index) => {
    if (box.height < 44 - 0.5 || box.width < 44 - 0.5) problems.push(name(targets[index]) + ' is a small target: ' + box.width + ' x ' + box.height);
    boxes.slice(index + 1).forEach((other, later) => {
      const apart = box.right <= other.left + 0.5 || other.right <= box.left + 0.5 || box.bottom <= other.top + 0.5 || other.bottom <= box.top + 0.5;
      if (!apart) problems.push(name(targets[index]) + ' overlaps ' + name(targets[index + 1 + later]));
    });
  });
  return problems;
}
"""


async def layout_problems(page: Page) -> list[str]:
    """Return what is cut, sticks out, overlaps, or is too small to be hit."""
    return list(await page.evaluate(_MEASURE))


async def picture(page: Page, name: str) -> None:
    """Keep a picture."""
    ARTEFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


async def settled(page: Page) -> None:
    """Wait until the page is no longer one that waits itself, and loads anew every two seconds."""
    await page.locator(".spinner").wait_for(state="detached")


async def look(page: Page, name: str) -> None:
    """Keep a picture, and expect nothing to complain about in the layout, nor for axe."""
    await settled(page)
    await picture(page, name)
    assert [] == await layout_problems(page), name
    assert [] == await violations(page), name
