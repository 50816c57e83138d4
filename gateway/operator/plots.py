"""Plots as SVG, drawn by the server: no script, colours from the page's style, and the numbers as text for whoever cannot see them."""

from collections.abc import Sequence

from markupsafe import Markup

from gateway.operator.figures import Column

WIDTH, HEIGHT = 640, 180
_TOP, _BOTTOM = 28, 30
_LABELS = 6
"""Of the time axis, at most."""

_COLUMNS = Markup(
    '<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">{grid}{bars}{labels}</svg>'
)
_BAR = Markup('<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>')
_TEXT = Markup('<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{text}</text>')
_LINE = Markup('<line class="grid" x1="0" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"/>')


def columns(found: Sequence[Column], *, title: str) -> Markup:
    """Draw how many links were asked for in each span of time, and how many of them came into use."""
    highest = max([column.requested for column in found], default=0) or 1
    step = WIDTH / max(1, len(found))
    room = HEIGHT - _TOP - _BOTTOM
    ground = HEIGHT - _BOTTOM
    bars = Markup("").join(
        _bar(kind, index * step, step, count / highest * room, ground)
        for index, column in enumerate(found)
        for kind, count in (("all", column.requested), ("done", column.used))
        if count
    )
    every = -(-len(found) // _LABELS)
    labels = Markup("").join(
        _TEXT.format(x=(index + 0.5) * step, y=HEIGHT - 8, kind="label", text=column.label)
        for index, column in enumerate(found)
        if index % every == 0
    )
    grid = _LINE.format(width=WIDTH, y=ground) + _LINE.format(width=WIDTH, y=_TOP)
    grid += _TEXT.format(x=2, y=_TOP - 6, kind="scale", text=highest)
    return _COLUMNS.format(width=WIDTH, height=HEIGHT, title=title, grid=grid, bars=bars, labels=labels)


def _bar(kind: str, left: float, step: float, height: float, ground: float) -> Markup:
    margin = step * 0.14
    return _BAR.format(kind=kind, x=left + margin, y=ground - height, width=step - 2 * margin, height=height)
