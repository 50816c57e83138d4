"""What the table of ways to stop may ask of a link's trail."""

from dataclasses import replace

import pytest

from shared.domain.facts import Facts
from shared.domain.link import Device, Link, LinkState
from shared.domain.sight import Sight, Sighting
from shared.domain.timeline import Happened, Trail

ASKED = 1_795_000_000
LINK = Link(
    link_id="link-1",
    service="default",
    state=LinkState.REQUESTED,
    household_id="Sonos_it's",
    device=Device(hardware="", os_version="", app_name=""),
    callback_path="",
    requested_at=ASKED,
    expires_at=ASKED + 600,
)


def seen(sight: Sight, times: int = 1, *, last: int = 1, note: str = "", observer: str = "g1") -> Sighting:
    """Return what one gateway saw, *last* seconds after the beginning for the last time."""
    return Sighting(
        link_id="link-1",
        service="default",
        observer=observer,
        sight=sight,
        times=times,
        first_at=ASKED + 1,
        last_at=ASKED + last,
        note=note,
    )


def facts(
    *sightings: Sighting, happened: tuple[Happened, ...] = (), link: Link = LINK, later: int = 10
) -> Facts:
    """Return a trail's facts, *later* seconds after the beginning."""
    return Facts(Trail(link=link, happened=happened, sightings=sightings, grant=None, now=ASKED + later))


def event(kind: str, after: int = 5, **detail: str | int | bool) -> Happened:
    """Return something that a worker did."""
    return Happened(at=ASKED + after, kind=kind, detail=detail)


@pytest.mark.parametrize(
    ("state", "later", "is_open"),
    [
        (LinkState.REQUESTED, 599, True),
        (LinkState.REQUESTED, 600, False),
        (LinkState.AUTHENTICATED, 599, True),
        (LinkState.LINKED, 599, True),
        (LinkState.LINKED, 600, False),
        (LinkState.DECLINED, 1, False),
        (LinkState.FAILED, 1, False),
    ],
)
def test_what_may_still_come(state: LinkState, later: int, *, is_open: bool) -> None:
    """Until its time is over, or somebody ended it."""
    assert is_open == facts(link=replace(LINK, state=state), later=later).is_open


def test_the_state_is_that_of_now() -> None:
    """A link expires by itself."""
    assert (LinkState.REQUESTED, LinkState.EXPIRED) == (facts().state, facts(later=600).state)
    assert (False, True) == (facts().is_signed_in, facts(link=replace(LINK, account_id="a")).is_signed_in)


def test_polls_are_all_that_sonos_asked() -> None:
    """Of all gateways, however they were answered; nothing else is a poll."""
    found = facts(
        seen(Sight.RETRY, 3),
        seen(Sight.RETRY, 2, observer="g2", last=9),
        seen(Sight.UNAVAILABLE, 1),
        seen(Sight.FAILURE, 10),
        seen(Sight.WRONG_DEVICE, 20),
        seen(Sight.DELIVERED, 40),
        seen(Sight.PAGE, 100),
    )
    assert (76, 5, 0) == (found.polls, found.times(Sight.RETRY), found.times(Sight.LEFT))
    assert (ASKED + 9, 0) == (found.last(Sight.RETRY), found.last(Sight.LEFT))
    assert (True, True, False) == (
        found.saw(Sight.PAGE),
        found.saw(Sight.LEFT, Sight.PAGE),
        found.saw(Sight.LEFT, Sight.AWAY),
    )


def test_how_it_was_judged_is_the_last_word() -> None:
    """Of pages and apps alike; what a link went through besides is no judgement."""
    found = facts(
        happened=(
            event("link.requested"),
            event("login.refused", provider="one"),
            event("app.authenticated", provider="two"),
            event("link.linked", after=7),
        )
    )
    assert ("authenticated", "two", 2) == (found.outcome, found.provider, len(found.judged))
    assert (True, False) == (found.did("link.linked"), found.did("link.declined"))
    assert (ASKED + 7, ASKED) == (found.linked_at, facts().linked_at)
    assert "" == facts().outcome


@pytest.mark.parametrize(
    ("sightings", "provider"),
    [
        ((), "the provider"),
        ((seen(Sight.AWAY, note="gone"),), "gone"),
        ((seen(Sight.AWAY, note="gone"), seen(Sight.LEFT, note="left")), "left"),
    ],
)
def test_a_provider_has_a_name(sightings: tuple[Sighting, ...], provider: str) -> None:
    """That to which the browser went, if nobody was judged."""
    assert provider == facts(*sightings).provider


def test_values_are_words() -> None:
    """What an advice may name, ready to be read, and what somebody outside sent ready to be copied into a shell."""
    found = facts(
        seen(Sight.RETRY, 14, last=65),
        seen(Sight.DELIVERED),
        seen(Sight.PAGE, 2),
        seen(Sight.TURNED_AWAY, note="access_denied"),
        happened=(
            event("login.refused"),
            event("login.refused"),
            event("login.authenticated"),
            event("link.linked", after=130),
        ),
    )
    assert {
        "polls": "15 times",
        "given": "1 time",
        "refused": "2 times",
        "opened": "2 times",
        "provider": "the provider",
        "error": "access_denied",
        "waited": "2 min 10 s",
        "silent": "1 min 5 s",
        "lifetime": "10 min",
        "household": "'Sonos_it'\"'\"'s'",
    } == found.values()
    assert ("an error", "0 times") == (facts().values()["error"], facts().values()["refused"])
