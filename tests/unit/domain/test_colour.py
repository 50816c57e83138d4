"""Contrast as WCAG 2.2 has it, and colours that reach it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import colour

colours = st.tuples(*[st.integers(0, 255)] * 3).map(lambda rgb: "#{:02x}{:02x}{:02x}".format(*rgb))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
        ("#1f4e8c", "#1F4E8C", 1.0),
    ],
)
def test_contrast(one: str, other: str, expected: float) -> None:
    """Against values computed by others, either way round."""
    assert expected == round(colour.contrast(one, other), 2) == round(colour.contrast(other, one), 2)


@given(colours)
def test_text_on_any_colour_can_be_read(background: str) -> None:
    """Black or white, one of them always can."""
    assert colour.contrast(colour.text_on(background), background) >= 4.5


@given(colours)
def test_any_colour_can_be_brought_to_be_read(start: str) -> None:
    """Darker on white paper, lighter on black; unchanged if it could be read already."""
    light = colour.lighter(start, against="#000000", least=4.5)
    reached = colour.darker(start, against="#ffffff", least=4.5)

    assert colour.contrast(reached, "#ffffff") >= 4.5
    assert colour.contrast(light, "#000000") >= 4.5
    assert reached == start or colour.contrast(start, "#ffffff") < 4.5
