"""The look of a service: logos by their own bytes, colours that can be read, and pages of an operator's own."""

import re
import struct
import zlib
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.pages import rendering
from gateway.pages.looks import HIGHEST, LARGEST_LOGO, WIDEST, look_of
from gateway.pages.samples import samples
from shared import settings
from shared.settings import BrandSettings, ServiceSettings, Settings, SettingsError
from shared.settings.brand import DARK_PAPER, LIGHT_PAPER

HEAVIEST_PAGE = 30_000


def png(width: int, height: int) -> bytes:
    """Return a picture of one colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows = b"".join(b"\0" + b"\x1f\x4e\x8c" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def webp(kind: bytes, body: bytes) -> bytes:
    content = b"WEBP" + kind + struct.pack("<I", len(body)) + body.ljust(24, b"\0")
    return b"RIFF" + struct.pack("<I", len(content)) + content


def loaded(tmp_path: Path, **more: object) -> Settings:
    return settings.load(
        database_url="sqlite+aiosqlite:////tmp/none.db",
        broker_url="memory://",
        keys_dir=tmp_path,
        public_url="http://127.0.0.1",
        **more,
    )


def problems_of(tmp_path: Path, **more: object) -> list[str]:
    with pytest.raises(SettingsError) as error:
        rendering.open_pages(loaded(tmp_path, **more))
    return error.value.problems


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(160, 80), ("image/png", 80, 40)),
        (png(20, 10), ("image/png", 20, 10)),
        (
            webp(b"VP8X", bytes(4) + (159).to_bytes(3, "little") + (79).to_bytes(3, "little")),
            ("image/webp", 80, 40),
        ),
        (webp(b"VP8L", b"\x2f" + (159 | 79 << 14).to_bytes(4, "little")), ("image/webp", 80, 40)),
        (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 160, 80)), ("image/webp", 80, 40)),
    ],
)
def test_logo_is_known_by_its_bytes(tmp_path: Path, content: bytes, expected: tuple[str, int, int]) -> None:
    """Kind and size come from the file itself, whatever its name; it is shown 40 pixels high, or smaller if it is."""
    path = tmp_path / "logo.jpeg"
    path.write_bytes(content)
    logo = look_of(BrandSettings(logo=path)).logo

    assert logo is not None
    assert expected == (logo.asset.content_type, logo.width, logo.height)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither PNG nor WebP"),
        (b"\xff\xd8\xff\xe0JFIF", "neither PNG nor WebP"),
        (png(20, 10)[:-4], "neither PNG nor WebP"),
        (b"", "neither PNG nor WebP"),
        (png(WIDEST + 1, 1), f"{WIDEST + 1} x 1 pixels"),
        (png(1, HIGHEST + 1), f"1 x {HIGHEST + 1} pixels"),
        (webp(b"VP9 ", b""), "0 x 0 pixels"),
        (b"\x89PNG\r\n\x1a\n" + bytes(LARGEST_LOGO), "larger than"),
        (None, "cannot be read"),
    ],
)
def test_any_other_logo_is_refused_at_start(tmp_path: Path, content: bytes | None, told: str) -> None:
    """With the setting, the file, and the way out."""
    path = tmp_path / "logo.png"
    if content is not None:
        path.write_bytes(content)
    (problem,) = problems_of(tmp_path, services={"default": {"brand": {"logo": path}}})

    assert problem.startswith("services.default.brand.logo: ")
    assert told in problem


@pytest.mark.parametrize(
    ("brand", "named"),
    [
        ({"accent": "#ffcc00"}, "services.default.brand.accent: #ffcc00 has a contrast of 1.5 : 1"),
        ({"accent_dark": "#1f4e8c"}, "services.default.brand.accent_dark: #1f4e8c has a contrast of 2.0 : 1"),
    ],
)
def test_colour_that_nobody_could_read_is_refused_with_one_that_can(
    tmp_path: Path, brand: dict[str, str], named: str
) -> None:
    """What is proposed is accepted."""
    (problem,) = problems_of(tmp_path, services={"default": {"brand": brand}})
    (name,) = brand
    better = re.findall(r"#[0-9a-f]{6}", problem)[-1]
    loaded(tmp_path, services={"default": {"brand": {name: better}}})

    assert problem.startswith(named)


def test_papers_of_the_check_are_those_of_the_style_sheet() -> None:
    """What is checked is what is seen."""
    style = (files("gateway.pages") / "static" / "style.css").read_text()

    assert [LIGHT_PAPER, DARK_PAPER] == re.findall(r"--card: (#\w+)", style)


def test_every_page_is_light(tmp_path: Path) -> None:
    """Page, style sheet and the largest logo there may be stay below 30 KB, uncompressed."""
    path = tmp_path / "logo.png"
    path.write_bytes(png(80, 40).ljust(LARGEST_LOGO, b"\0"))
    pages = rendering.open_pages(loaded(tmp_path, services={"default": {"brand": {"logo": path}}}))
    service = ServiceSettings(brand=BrandSettings(logo=path))
    others = [
        rendering.OtherLanguage(code=code, name=name, address=f"/link/{'x' * 32}?lang={code}")
        for code, name in rendering.LANGUAGES.items()
    ]
    carried = sum(len(content) for content in (each.content for each in pages.assets.values()))
    weights = {
        name: carried + len(pages.render(name, service, values, others).encode())
        for name, examples in samples().items()
        for values in examples
    }

    assert {} == {name: weight for name, weight in weights.items() if weight >= HEAVIEST_PAGE}


def test_own_template_comes_before_ours_and_may_build_on_it(tmp_path: Path) -> None:
    """The rest stays as it is."""
    (tmp_path / "expired.html").write_text(
        '{% extends "latchkey/expired.html" %}{% block title %}Too late{% endblock %}'
    )
    pages = rendering.open_pages(loaded(tmp_path, templates_dir=tmp_path))
    text = pages.render("expired", ServiceSettings(), {})

    assert "<title>Too late · Latchkey</title>" in text
    assert "This link is not valid any more" in text
    assert "You declined" in pages.render("declined", ServiceSettings(), {"way_back": None})


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("<p>\n{{ askr.device }}", "line 2: 'askr' is undefined"),
        ("<p>\n\n{% if %}", "line 3: "),
        ('{% extends "nothing.html" %}', "nothing.html"),
        ("{{ 1 / 0 }}", "line 1: division by zero"),
    ],
)
def test_own_template_that_cannot_be_made_is_told_at_start(tmp_path: Path, template: str, told: str) -> None:
    """File, line and reason, before anybody sees half a page."""
    (tmp_path / "sign_in.html").write_text(template)
    (problem,) = problems_of(tmp_path, templates_dir=tmp_path)

    assert problem.startswith("LATCHKEY_TEMPLATES_DIR: the page 'sign_in' cannot be made: ")
    assert told in problem


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Instead of pages that silently are ours."""
    (problem,) = problems_of(tmp_path, templates_dir=tmp_path / "none")

    assert "is no folder that can be read" in problem
