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


@pytest.mark.parametrize(
    ("grey", "expected"), [("#000000", 0.0), ("#0a0a0a", 0.003035), ("#0b0b0b", 0.003347), ("#ffffff", 1.0)]
)
def test_luminance_on_both_sides_of_the_bend(grey: str, expected: float) -> None:
    """WCAG's formula is a line for the darkest tones, a power for all others."""
    assert expected == round(colour.luminance(grey), 6)


@pytest.mark.parametrize(
    ("least", "expected"), [(1.0, "#336699"), (21.0, "#000000"), (7.0, "#2d5b88"), (6.0, "#326497")]
)
def test_colour_moves_as_little_as_it_has_to(least: float, expected: str) -> None:
    """In sixty-four steps to black: the first that is enough, or black itself."""
    assert expected == colour.darker("#336699", against="#ffffff", least=least)


def test_colour_becomes_white_at_worst() -> None:
    """Nothing has more contrast with black; what is as much as was asked for is enough."""
    assert "#ffffff" == colour.lighter("#336699", against="#000000", least=22.0)
    assert "#336699" == colour.lighter(
        "#336699", against="#000000", least=colour.contrast("#336699", "#000000")
    )
    assert ["#000000", "#ffffff"] == [colour.text_on(shade) for shade in ("#ffff00", "#000080")]
