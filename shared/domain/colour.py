"""Colours as `#rrggbb`, and how well one can be read on the other (WCAG 2.2, relative luminance and contrast ratio)."""

import colorsys

_STEPS = 64


def luminance(colour: str) -> float:
    """Return the relative luminance: 0 for black, 1 for white."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio: from 1 for the same colour to 21 for black on white."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lighter(colour: str, *, against: str, least: float) -> str:
    """Return the colour as little lighter as gives it the contrast *least* with a dark colour *against*; at worst white."""
    return _towards(colour, 1.0, against, least)


def darker(colour: str, *, against: str, least: float) -> str:
    """Return the colour as little darker as gives it the contrast *least* with a light colour *against*; at worst black."""
    return _towards(colour, 0.0, against, least)


def text_on(colour: str) -> str:
    """Return black or white, whichever is easier to read on *colour*; one of them always has a contrast above 4.5."""
    return max(("#000000", "#ffffff"), key=lambda text: contrast(text, colour))


def _towards(colour: str, end: float, against: str, least: float) -> str:
    shades = (_shade(colour, end, step / _STEPS) for step in range(1, _STEPS + 1))
    candidates = (colour, *shades)
    return next((shade for shade in candidates if contrast(shade, against) >= least), candidates[-1])


def _shade(colour: str, end: float, share: float) -> str:
    """Return a colour whose lightness went a share of the way to *end*; hue and saturation stay, so that it stays itself."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in _channels(colour)))
    channels = colorsys.hls_to_rgb(hue, lightness + (end - lightness) * share, saturation)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
