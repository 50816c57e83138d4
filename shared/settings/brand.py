"""How a service looks on its pages, and whether that can be read."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from shared.domain import colour

LIGHT_PAPER, DARK_PAPER = "#ffffff", "#1f1e1c"
"""What text and buttons stand on; the style sheet says the same, and a test compares the two."""
READABLE = 4.5
"""Least contrast of text (WCAG 2.2, 1.4.3)."""
COLOUR = r"^#[0-9a-fA-F]{6}$"


class BrandSettings(BaseModel):
    """How the pages of a service look."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    logo: Path | None = None
    """A PNG or WebP file of at most 12 KiB and 1024 x 512 pixels, shown 40 pixels high, so twice that is sharp; none: the title."""
    logo_dark: Path | None = None
    """The same for dark pages; default: the logo for light ones."""
    accent: str = Field("#1f4e8c", pattern=COLOUR)
    """Colour of buttons and links on light pages, such as `#1f4e8c`; refused if nobody could read it on white."""
    accent_dark: str | None = Field(None, pattern=COLOUR)
    """The same on dark pages; default: `accent`, as much lighter as it has to be."""

    @property
    def accent_on_dark(self) -> str:
        """Return the accent colour of dark pages."""
        return self.accent_dark or colour.lighter(self.accent, against=DARK_PAPER, least=READABLE + 2)


def unreadable(brand: BrandSettings, path: str) -> list[str]:
    """Return what to tell about colours that cannot be read on their paper."""
    shown = (
        ("accent", brand.accent, LIGHT_PAPER, colour.darker),
        ("accent_dark", brand.accent_on_dark, DARK_PAPER, colour.lighter),
    )
    return [
        f"{path}.{name}: {value} has a contrast of {colour.contrast(value, paper):.1f} : 1 on {paper}, and text needs"
        f" {READABLE} : 1 to be readable; choose a {way.__name__} one, such as {way(value, against=paper, least=READABLE)}"
        for name, value, paper, way in shown
        if colour.contrast(value, paper) < READABLE
    ]
