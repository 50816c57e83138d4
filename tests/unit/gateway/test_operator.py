"""What the operator page makes of rows and counts."""

from dataclasses import replace

import pytest

from gateway.operator import figures, plots, readings
from gateway.operator.figures import WINDOWS
from gateway.operator.page import _with_code
from shared.domain.link import Device, Link, LinkState
from shared.domain.sight import Sight, Sighting
from shared.domain.stops import story
from shared.domain.timeline import STAGES, Happened, Trail
from shared.metrics import Metrics
from shared.storage.timelines import Reached

NOW = 1_790_000_000
HOUR = NOW - NOW % 3600
LINK = Link(
    link_id="link-1",
    service="default",
    state=LinkState.REQUESTED,
    household_id="Sonos_x",
    device=Device(),
    callback_path="",
    requested_at=NOW - 700,
    expires_at=NOW - 100,
)
USED = len(STAGES) - 1


def reached(begins: int, stage: int, links: int = 1) -> Reached:
    return Reached(begins=begins, stage=stage, links=links)


def trail(link: Link) -> Trail:
    return Trail(link=link, happened=(), sightings=(), grant=None, now=NOW)


def test_the_funnel_adds_up() -> None:
    """Who came far has come past all stages before; what is lost between two is said at the second."""
    found = figures.funnel([reached(HOUR, 0, 2), reached(HOUR, 2), reached(HOUR - 3600, USED, 5)])

    assert [8, 6, 6, 5, 5, 5, 5] == [stage.links for stage in found]
    assert [0, 2, 0, 1, 0, 0, 0] == [stage.lost for stage in found]
    assert (1.0, 5 / 8) == (found[0].share, found[-1].share)


def test_no_links_are_no_funnel() -> None:
    """And nothing is divided by nothing."""
    assert {(0, 0, 0.0)} == {(stage.links, stage.lost, stage.share) for stage in figures.funnel([])}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_ends_now(name: str) -> None:
    """Its last column holds the present moment, the first begins as many columns before; empty ones are there, too."""
    window = WINDOWS[name]
    last = window.begins(NOW) + (window.columns - 1) * window.span
    found = figures.columns([reached(last, USED, 2), reached(last, 0)], window, now=NOW)

    assert last <= NOW < last + window.span
    assert window.columns == len(found)
    assert (3, 2) == (found[-1].requested, found[-1].used)
    assert {(0, 0)} == {(column.requested, column.used) for column in found[:-1]}


def test_causes_are_counted() -> None:
    """The most frequent first, with the last link that stopped so; what may still go on has not stopped."""
    opened = replace(LINK, link_id="link-2", expires_at=NOW + 100)
    declined = replace(LINK, link_id="link-3", state=LinkState.DECLINED)
    again = replace(LINK, link_id="link-4")
    found = figures.causes([story(trail(each)) for each in (declined, opened, LINK, again)])

    assert [(2, "link-1"), (1, "link-3")] == [(cause.links, cause.last) for cause in found]


def seen(sight: Sight, at: int) -> Sighting:
    return Sighting(
        link_id="link-1", service="default", observer="g", sight=sight, times=1, first_at=at, last_at=at
    )


def test_waiting_for_workers() -> None:
    """From what a gateway saw until a worker did its part; who still waits is counted apart, who gave up not at all."""
    live = replace(LINK, expires_at=NOW + 100)
    judged = Happened(at=NOW - 30, kind="login.authenticated")
    minted = Happened(at=NOW - 2, kind="link.linked")
    sent, allowed = seen(Sight.SENT, NOW - 40), seen(Sight.ALLOWED, NOW - 1)
    auth, token = figures.lags(
        [
            replace(trail(live), sightings=(sent, allowed), happened=(judged, minted)),
            replace(trail(live), sightings=(seen(Sight.SENT, NOW - 31), allowed), happened=(judged,)),
            replace(trail(live), sightings=(sent,)),
            replace(trail(LINK), sightings=(sent,)),
            trail(live),
        ]
    )

    assert (2, 1, 10, 1) == (auth.times, auth.half, auth.longest, auth.waiting)
    assert (1, 0, 0, 1) == (token.times, token.half, token.longest, token.waiting)
    assert [(0, 0), (0, 0)] == [(lag.times, lag.waiting) for lag in figures.lags([])]


def test_a_plot_is_drawn_to_scale() -> None:
    """The highest column fills its room, and what is written is escaped."""
    window = WINDOWS["day"]
    drawn = plots.columns(
        figures.columns([reached(HOUR, 0, 4), reached(HOUR - 3600, USED, 2)], window, now=NOW), title='"<b>"'
    )
    heights = {part.split('"')[0] for part in drawn.split('height="')[2:]}

    assert {"122.0", "61.0"} == heights
    assert "<b>" not in drawn
    assert plots.columns(figures.columns([], window, now=NOW), title="")


@pytest.mark.parametrize(
    ("share", "expected"), [(0.25, 0.5), (0.5, 1.0), (0.75, 1.5), (0.95, 1.9), (1.0, 2.0)]
)
def test_percentiles_lie_evenly_between_bounds(share: float, expected: float) -> None:
    """Half of the calls took up to one second, the other half up to two."""
    assert expected == pytest.approx(readings.percentile([50, 50, 0, 0], (1.0, 2.0, 4.0), share))


def test_percentile_beyond_the_last_bound() -> None:
    """Is told as that bound."""
    assert 4.0 == readings.percentile([1, 0, 0, 99], (1.0, 2.0, 4.0), 0.5)


def test_counts_become_rows() -> None:
    """Calls by method, faults by code, queues in which something waits; each beginning with the most."""
    metrics = Metrics()
    for method, outcome, times in (
        ("getMetadata", "ok", 1),
        ("poll", "Client.X", 3),
        ("poll", "Client.Y", 1),
    ):
        for _ in range(times):
            metrics.calls.observe(0.004, method, outcome)
    metrics.waiting.set(0, "auth.link")
    metrics.waiting.set(7, "token.mint")
    metrics.loop_lag.observe(0.002)
    found = readings.of(metrics)

    assert [("poll", 4), ("getMetadata", 1)] == [(each.name, each.times) for each in found.calls]
    assert (("Client.X", 3), ("Client.Y", 1)) == found.faults
    assert (("token.mint", 7),) == found.queues
    assert ["event loop"] == [each.name for each in found.lag]
    assert all(0 <= begin and begin + length <= 102 for begin, length in (each.bar for each in found.calls))


def test_words_with_code() -> None:
    """What stands between backticks is code, and nothing of it is markup."""
    assert "run <code>a &lt;b&gt;</code> &amp; see" == _with_code("run `a <b>` & see")
