"""Colours as `#rrggbb`, and how well one can be read on the other (WCAG 2.2, relative luminance and contrast ratio)."""

_STEPS = 64


def luminance(colour: str) -> float:
    """Return the relative luminance: 0 for black, 1 for white."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio: from 1 for the same colour to 21 for black on white."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def towards(colour: str, end: str, *, against: str, least: float) -> str:
    """Return the colour mixed with as little of *end* as gives it the contrast *least* with *against*; at worst *end* itself."""
    mixtures = (_mixed(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((mixture for mixture in mixtures if contrast(mixture, against) >= least), end)


def text_on(colour: str) -> str:
    """Return black or white, whichever is easier to read on *colour*; one of them always has a contrast above 4.5."""
    return max(("#000000", "#ffffff"), key=lambda text: contrast(text, colour))


def _mixed(colour: str, end: str, share: float) -> str:
    pairs = zip(_channels(colour), _channels(end), strict=True)
    return "#" + "".join(f"{round(start + (stop - start) * share):02x}" for start, stop in pairs)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
