"""Links between pages lead somewhere, headings included, and every page is reached."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.documents import PAGES, ROOT

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)


def slug(heading: str) -> str:
    """Return what a heading is called in an address, as GitHub has it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = _FENCE.sub("", page.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def links(page: Path) -> list[str]:
    return [
        link for link in _LINK.findall(_FENCE.sub("", page.read_text())) if not re.match(r"[a-z]+:", link)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the tree, and to a heading of it."""
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)

    assert [] == broken


def listed(entry: Any) -> list[str]:
    """Return the pages of a part of the table of contents."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in listed(part)]


def test_every_page_is_reached() -> None:
    """From the table of contents, which names nothing that is not there, or from another page that names it or its folder."""
    contents = {
        ROOT / "docs" / page
        for page in listed(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    }
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")}

    assert contents <= pages
    assert set() == {page for page in pages - contents - linked if page.parent not in linked}
