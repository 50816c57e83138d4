"""What gives the pages of a service its look: style sheet, icon and logo, each served under an address that names its content."""

import hashlib
import struct
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from shared.domain import colour
from shared.settings import BrandSettings, Settings, SettingsError

LARGEST_LOGO = 12 * 1024
"""Bytes; page, style sheet and logo together stay below 30 KB."""
WIDEST, HIGHEST = 1024, 512
SHOWN_HIGH = 40
"""Pixels of the style sheet; a file of twice as many is sharp on every screen."""

_STYLE = (files("gateway.pages") / "static" / "style.css").read_text()
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that a page needs."""

    content: bytes
    content_type: str
    extension: str

    @property
    def address(self) -> str:
        """Return the path at which it is served; another content has another."""
        return f"/static/{hashlib.sha256(self.content).hexdigest()[:16]}.{self.extension}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """A picture, and how it is shown."""

    asset: Asset
    width: int
    """In pixels of the style sheet, at most `SHOWN_HIGH` high."""
    height: int

    @property
    def address(self) -> str:
        """Return the path at which it is served."""
        return self.asset.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a page of one brand refers to."""

    style_sheet: Asset
    sign: Asset
    logo: Logo | None = None
    logo_dark: Logo | None = None

    @property
    def style(self) -> str:
        """Return the address of the style sheet."""
        return self.style_sheet.address

    @property
    def icon(self) -> str:
        """Return the address of the icon beside the page's title."""
        return self.sign.address

    @property
    def assets(self) -> tuple[Asset, ...]:
        """Return all that has to be served."""
        logos = (logo.asset for logo in (self.logo, self.logo_dark) if logo)
        return (self.style_sheet, self.sign, *logos)


def look_of(brand: BrandSettings) -> Look:
    """Return the look that the settings of a brand describe.

    Raises:
        ValueError: a logo cannot be used; the message says why, and the way out.
    """
    return Look(
        style_sheet=Asset(
            content=(_colours(brand) + _STYLE).encode(), content_type="text/css", extension="css"
        ),
        sign=Asset(content=_sign(brand).encode(), content_type="image/svg+xml", extension="svg"),
        logo=_logo("logo", brand.logo),
        logo_dark=_logo("logo_dark", brand.logo_dark),
    )


def looks_of(settings: Settings) -> dict[BrandSettings, Look]:
    """Return the look of every brand.

    Raises:
        SettingsError: logos cannot be used.
    """
    looks, problems = {}, []
    for name, service in settings.services.items():
        try:
            looks[service.brand] = look_of(service.brand)
        except ValueError as error:
            problems.append(f"services.{name}.brand.{error}")
    if problems:
        raise SettingsError(problems)
    return looks


def _colours(brand: BrandSettings) -> str:
    light, dark = brand.accent, brand.accent_on_dark
    return (
        f":root {{ --accent: {light}; --on-accent: {colour.text_on(light)}; }}\n"
        "@media (prefers-color-scheme: dark) "
        f"{{ :root {{ --accent: {dark}; --on-accent: {colour.text_on(dark)}; }} }}\n"
    )


def _sign(brand: BrandSettings) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="9" fill="{brand.accent}"/>'
        f'<g fill="none" stroke="{colour.text_on(brand.accent)}" stroke-width="2.5">'
        '<rect x="9.5" y="6" width="13" height="20" rx="2.5"/><circle cx="16" cy="18.5" r="3.5"/></g></svg>'
    )


def _logo(name: str, path: Path | None) -> Logo | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_LOGO + 1)
    except OSError as error:
        raise ValueError(f"{name}: {path} cannot be read ({error.strerror}); correct the path") from None
    if len(content) > LARGEST_LOGO:
        raise ValueError(
            f"{name}: {path} is larger than {LARGEST_LOGO} bytes; save it {2 * SHOWN_HIGH} pixels high, as WebP or with fewer colours"
        )
    kind, width, height = _measured(content)
    if not kind:
        raise ValueError(f"{name}: {path} is neither PNG nor WebP; save it as one of them")
    if not (0 < width <= WIDEST and 0 < height <= HIGHEST):
        raise ValueError(
            f"{name}: {path} has {width} x {height} pixels and may have {WIDEST} x {HIGHEST}; save it {2 * SHOWN_HIGH} pixels high"
        )
    shown_high = min(SHOWN_HIGH, height)
    return Logo(
        asset=Asset(content=content, content_type=f"image/{kind}", extension=kind),
        width=max(1, round(width * shown_high / height)),
        height=shown_high,
    )


def _measured(content: bytes) -> tuple[str, int, int]:
    """Return the kind of a picture by its own first bytes, whatever its name says, and its size; an empty kind if it is none of ours."""
    if (
        content.startswith(_PNG)
        and content[12:16] == b"IHDR"
        and content.rstrip(b"\0").endswith(b"IEND\xaeB`\x82")
    ):
        return ("png", *struct.unpack(">II", content[16:24]))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP" and len(content) >= 30:
        return ("webp", *_webp_size(content))
    return "", 0, 0


def _webp_size(content: bytes) -> tuple[int, int]:
    """Return width and height (RFC 9649, sections 2.5 to 2.7)."""
    match content[12:16]:
        case b"VP8X":
            return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(content[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack("<HH", content[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case _:
            return 0, 0
