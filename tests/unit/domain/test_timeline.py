"""From rows to the story of one link, line by line."""

from dataclasses import replace

import pytest

from shared.domain.link import LinkState
from shared.domain.sight import Sight
from shared.domain.timeline import Happened, Step, Trail, merged, steps
from tests.unit.domain.test_facts import ASKED, LINK, event, seen


def told(
    *happened: Happened, sightings: tuple = (), link=LINK, later: int = 10
) -> list[tuple[int, str, str, int, int]]:
    """Return the lines of a trail: seconds after the beginning, kind, words, how often, and when last."""
    trail = Trail(link=link, happened=happened, sightings=sightings, grant=None, now=ASKED + later)
    return [
        (step.at - ASKED, step.kind, step.words, step.times, step.last_at - ASKED) for step in steps(trail)
    ]


def test_what_workers_did() -> None:
    """With the provider it was about, and how long somebody has to wait; a kind that is not known says its name."""
    assert [
        (0, "link.requested", "Sonos was given a link code", 1, 0),
        (3, "login.refused", f"{REFUSED} (corp)", 1, 3),
        (4, "app.limited", f"{LIMITED} (corp) (to wait 30 s)", 1, 4),
        (5, "login.authenticated", TAKEN, 1, 5),
        (6, "link.mended", "link.mended", 1, 6),
        (7, "other.refused", "other.refused", 1, 7),
    ] == told(
        event("other.refused", 7),
        event("link.mended", 6),
        event("login.authenticated", 5, taken=True),
        event("app.limited", 4, provider="corp", wait=30),
        event("login.refused", 3, provider="corp"),
        event("link.requested", 0),
    )


REFUSED = "signing in was refused: wrong name or password, or a token that does not hold"
LIMITED = "signing in was not looked at: too many wrong passwords lately"
TAKEN = "somebody signed in, but another browser or account already had the link"


def test_what_gateways_saw() -> None:
    """All of them together; nobody saw a link before it was asked for, whatever their clock says."""
    early = replace(seen(Sight.PAGE, 2), first_at=ASKED - 5, last_at=ASKED - 4)
    assert [
        (0, "seen.page", "the page was opened", 2, 0),
        (1, "seen.left", "the browser went to the provider: corp", 1, 3),
        (1, "seen.retry", "Sonos polled, and was told to ask again", 5, 9),
    ] == told(
        sightings=(
            seen(Sight.RETRY, 3, last=4),
            seen(Sight.RETRY, 2, last=9, observer="g2"),
            seen(Sight.LEFT, last=3, note="corp"),
            early,
        )
    )


def test_sights_of_two_gateways_are_one() -> None:
    """Their numbers together, the first and the last of their times, and a note of either."""
    one = replace(seen(Sight.LEFT, 3, last=9), first_at=ASKED + 4)
    other = replace(seen(Sight.LEFT, 2, last=7, note="corp", observer="g2"), first_at=ASKED + 2)
    both = merged([one, other])[Sight.LEFT]
    turned = merged([other, one])[Sight.LEFT]

    assert both == turned
    assert ("link-1", "default", "", Sight.LEFT, 5, ASKED + 2, ASKED + 9, "corp") == (
        *(both.link_id, both.service, both.observer, both.sight),
        *(both.times, both.first_at, both.last_at, both.note),
    )
    assert [Sight.PAGE, Sight.RETRY] == list(merged([seen(Sight.RETRY), seen(Sight.PAGE)]))


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("", "Sonos polled, and was given the token"),
        (LINK.household_id, "Sonos polled, and was given the token"),
        ("Sonos_other", "Sonos polled, and was given the token, as household Sonos_other"),
    ],
)
def test_another_household_is_named(note: str, words: str) -> None:
    """Its id changes shape, which is no reason for alarm."""
    assert [words] == [line[2] for line in told(sightings=(seen(Sight.DELIVERED, note=note),))]


@pytest.mark.parametrize(
    ("state", "later", "is_told"),
    [
        (LinkState.REQUESTED, 599, False),
        (LinkState.REQUESTED, 600, True),
        (LinkState.AUTHENTICATED, 600, True),
        (LinkState.LINKED, 600, False),
        (LinkState.DECLINED, 600, False),
        (LinkState.EXPIRED, 599, False),
    ],
)
def test_time_that_was_over(state: LinkState, later: int, *, is_told: bool) -> None:
    """At the moment at which it was, and not before."""
    over = [(600, "expired", "its time was over", 1, 600)]
    assert (over if is_told else []) == told(link=replace(LINK, state=state), later=later)


def test_within_a_second_causes_come_first() -> None:
    """However rows came."""
    sightings = tuple(
        seen(sight)
        for sight in (Sight.USED, Sight.DELIVERED, Sight.ALLOWED, Sight.SENT, Sight.LEFT, Sight.PAGE)
    )
    kinds = [
        line[1]
        for line in told(
            event("link.linked", 1),
            event("login.authenticated", 1),
            event("link.requested", 1),
            sightings=sightings,
        )
    ]
    assert [
        "link.requested",
        "seen.page",
        "seen.left",
        "seen.sent",
        "login.authenticated",
        "seen.allowed",
        "link.linked",
        "seen.delivered",
        "seen.used",
    ] == kinds


def test_a_step_happens_once_unless_told_otherwise() -> None:
    """What a worker did it did once."""
    assert 1 == Step(at=1, kind="k", words="w", last_at=1).times
