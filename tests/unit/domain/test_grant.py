"""Grants, rule by rule: the table in the module's docstring."""

from dataclasses import replace

import pytest

from shared.domain import errors, grant
from shared.domain.grant import Grant, GrantStatus, Lifetimes, MintingKeys, Presented
from shared.domain.revocation import Limits, is_meant

NOW = 1_790_000_000
DAY = 86400
KEYS = MintingKeys(signing_key_id="s2", derivation_key_id="d2")
LIFETIMES = Lifetimes(token=3600, jitter=0.1, overlap=DAY, idle=180 * DAY, absolute=730 * DAY)
ROW = Grant(
    grant_id="grant",
    service="default",
    account_id="ann",
    household_id="Sonos_household",
    status=GrantStatus.ACTIVE,
    family=2,
    generation=5,
    signing_key_id="s1",
    derivation_key_id="d1",
    issued_at=NOW - 3600,
    expires_at=NOW,
    seen_generation=5,
    family_started_at=NOW - DAY,
    used_at=NOW - 3600,
)


def presented(generation: int = 5, *, family: int = 2, expires_at: int = NOW) -> Presented:
    return Presented(family=family, generation=generation, expires_at=expires_at)


def refresh(row: Grant, token: Presented, *, now: int = NOW, shortening: float = 0.0) -> Grant:
    return grant.refresh(row, token, keys=KEYS, lifetimes=LIFETIMES, shortening=shortening, now=now)


def test_current_generation_gets_the_next() -> None:
    """Presenting the current generation rotates, with the keys in use now."""
    refreshed = refresh(ROW, presented())

    assert (6, NOW, NOW + 3600, "s2", "d2") == (
        refreshed.generation,
        refreshed.issued_at,
        refreshed.expires_at,
        refreshed.signing_key_id,
        refreshed.derivation_key_id,
    )


def test_second_presenter_gets_the_same_successor() -> None:
    """Whoever presents the generation before the current one is answered from the row as it is."""
    refreshed = refresh(ROW, presented())

    assert refresh(refreshed, presented(), now=NOW + 5) is refreshed


def test_lifetime_is_shortened_by_the_jitter_at_most() -> None:
    """A full draw shortens by the whole jitter."""
    assert refresh(ROW, presented(), shortening=1.0).expires_at == NOW + 3240


def test_sleeper_gets_a_pair_that_is_still_good() -> None:
    """A predecessor that comes when the current pair has expired too is not given a stale one."""
    asleep = replace(ROW, seen_generation=4)

    assert refresh(asleep, presented(4, expires_at=NOW - 3600)).generation == 6


def test_token_ahead_of_the_row_is_caught_up_with() -> None:
    """After a restored backup, a genuine token that the row has forgotten is rotated past, not refused."""
    assert refresh(ROW, presented(9)).generation == 10


def test_old_token_within_the_overlap_gets_the_current_pair() -> None:
    """A player that slept through some refreshes converges with the others."""
    fresh = replace(ROW, expires_at=NOW + 1800)

    assert refresh(fresh, presented(2, expires_at=NOW - DAY + 1)) is fresh


def test_old_token_after_the_overlap_is_theft() -> None:
    """An old generation whose successor has long been in use is not a sleeper's."""
    with pytest.raises(errors.ReuseDetected):
        refresh(ROW, presented(4, expires_at=NOW - DAY))


def test_old_token_whose_successor_was_never_seen_is_a_lost_answer() -> None:
    """However late: as long as nobody used the successor, its answer was lost."""
    unseen = replace(ROW, seen_generation=4)

    assert refresh(unseen, presented(4, expires_at=NOW - 100 * DAY)).generation == 6


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, status=GrantStatus.REVOKED),
        replace(ROW, family=3),
        replace(ROW, used_at=NOW - 180 * DAY),
        replace(ROW, family_started_at=NOW - 730 * DAY),
    ],
    ids=["revoked", "linked again since", "idle", "absolute"],
)
def test_household_has_to_link_again(row: Grant) -> None:
    """What ended is not refreshed."""
    with pytest.raises(errors.ReauthorizationNeeded):
        refresh(row, presented())


def test_linking_again_starts_a_family() -> None:
    """The grant stays, the family is new, and its lifetimes start now."""
    again = grant.link_again(
        replace(ROW, status=GrantStatus.REVOKED), keys=KEYS, lifetimes=LIFETIMES, shortening=0.0, now=NOW
    )

    assert (GrantStatus.ACTIVE, 3, 1, 0, NOW, NOW) == (
        again.status,
        again.family,
        again.generation,
        again.seen_generation,
        again.family_started_at,
        again.used_at,
    )


def test_seeing_a_generation_twice_changes_nothing() -> None:
    """A duplicate event gives back the same object."""
    assert grant.seen(ROW, family=2, generation=5, now=NOW) is ROW


def test_seeing_an_ended_family_changes_nothing() -> None:
    """A late sighting of the family before does not touch the new one."""
    row = replace(ROW, seen_generation=0)
    assert grant.seen(row, family=1, generation=9, now=NOW).seen_generation == 0


def test_erased_grant_is_over() -> None:
    """A token whose grant is gone is as dead as a revoked one."""
    with pytest.raises(errors.ReauthorizationNeeded):
        grant.check_usable(None, family=2)


def upgrade(row: Grant, *, now: int = NOW) -> Grant:
    return grant.upgrade(row, keys=KEYS, lifetimes=LIFETIMES, shortening=0.0, now=now)


def test_old_credentials_get_the_pair_there_is() -> None:
    """However many players upgrade, none of them ends what another one got."""
    assert upgrade(ROW, now=NOW - 1) is ROW


def test_old_credentials_get_a_pair_that_is_still_good() -> None:
    """An expired pair is rotated first, within its family, once for all."""
    upgraded = upgrade(ROW)

    assert (2, 6, NOW + 3600) == (upgraded.family, upgraded.generation, upgraded.expires_at)
    assert upgrade(upgraded, now=NOW + 5) is upgraded


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, status=GrantStatus.REVOKED),
        replace(ROW, used_at=NOW - 180 * DAY),
        replace(ROW, family_started_at=NOW - 730 * DAY),
    ],
    ids=["revoked", "idle", "absolute"],
)
def test_old_credentials_bring_nothing_back(row: Grant) -> None:
    """What has ended is begun again by a person alone."""
    with pytest.raises(errors.ReauthorizationNeeded):
        upgrade(row)


def test_first_grant_is_what_was_asked_for() -> None:
    """Every field; the pair of its first generation is not seen yet."""
    made = grant.first(
        grant_id="grant",
        service="default",
        account_id="ann",
        household_id="Sonos_household",
        keys=KEYS,
        lifetimes=LIFETIMES,
        shortening=0.0,
        now=NOW,
    )

    assert (
        Grant(
            grant_id="grant",
            service="default",
            account_id="ann",
            household_id="Sonos_household",
            status=GrantStatus.ACTIVE,
            family=1,
            generation=1,
            signing_key_id="s2",
            derivation_key_id="d2",
            issued_at=NOW,
            expires_at=NOW + 3600,
            seen_generation=0,
            family_started_at=NOW,
            used_at=NOW,
        )
        == made
    )


def test_rules_change_what_they_name_and_nothing_else() -> None:
    """Field by field, from a row in which every field differs."""
    minted = {
        "signing_key_id": "s2",
        "derivation_key_id": "d2",
        "issued_at": NOW,
        "expires_at": NOW + 3240,
        "version": 2,
    }
    again = grant.link_again(
        replace(ROW, status=GrantStatus.REVOKED), keys=KEYS, lifetimes=LIFETIMES, shortening=1.0, now=NOW
    )

    assert replace(ROW, generation=6, used_at=NOW, **minted) == refresh(ROW, presented(), shortening=1.0)
    assert (
        replace(ROW, family=3, generation=1, seen_generation=0, family_started_at=NOW, used_at=NOW, **minted)
        == again
    )
    assert replace(ROW, seen_generation=5, used_at=NOW, version=2) == grant.seen(
        replace(ROW, seen_generation=4), family=2, generation=9, now=NOW
    )
    assert replace(ROW, status=GrantStatus.REVOKED, version=2) == grant.revoke(ROW)


@pytest.mark.parametrize("rule", ["refresh", "upgrade"])
def test_pair_that_is_over_is_made_anew_in_that_second(rule: str) -> None:
    """Not one second before."""
    row = replace(ROW, generation=6, seen_generation=5)
    rules = {
        "refresh": lambda now: refresh(row, presented(), now=now),
        "upgrade": lambda now: grant.upgrade(row, keys=KEYS, lifetimes=LIFETIMES, shortening=0.0, now=now),
    }

    assert [6, 7] == [rules[rule](now).generation for now in (NOW - 1, NOW)]


def test_shortest_life_is_a_second() -> None:
    """Whatever the settings say."""
    lifetimes = replace(LIFETIMES, token=1, jitter=1.0)
    made = grant.link_again(ROW, keys=KEYS, lifetimes=lifetimes, shortening=1.0, now=NOW)

    assert NOW + 1 == made.expires_at


@pytest.mark.parametrize(("late", "theft"), [(-1, False), (0, True)])
def test_overlap_ends_to_the_second(late: int, theft: bool) -> None:
    """A day after the old token's end, if its successor was seen."""
    row = replace(ROW, generation=6, seen_generation=6, expires_at=NOW + 2 * DAY)

    try:
        found = refresh(row, presented(), now=NOW + DAY + late) is row
    except errors.ReuseDetected:
        assert theft
    else:
        assert found
        assert not theft


@pytest.mark.parametrize("field", ["used_at", "family_started_at"])
def test_lifetimes_of_a_grant_end_to_the_second(field: str) -> None:
    """Idle and absolute."""
    seconds = LIFETIMES.idle if field == "used_at" else LIFETIMES.absolute
    ends = {"used_at": NOW, "family_started_at": NOW} | {field: NOW - seconds}
    row = replace(ROW, **ends)

    assert refresh(replace(row, **{field: ends[field] + 1}), presented()).generation == 6
    with pytest.raises(errors.ReauthorizationNeeded):
        refresh(row, presented())


@pytest.mark.parametrize(("family", "is_over"), [(1, True), (2, False), (3, False)])
def test_token_of_an_earlier_family_is_over(family: int, is_over: bool) -> None:
    """A later one is not: the gateway may have read an old row."""
    try:
        grant.check_usable(ROW, family=family)
    except errors.ReauthorizationNeeded:
        assert is_over
    else:
        assert not is_over


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(), True),
        (Limits(family=2), True),
        (Limits(family=1), False),
        (Limits(started_by=NOW - DAY), True),
        (Limits(started_by=NOW - DAY - 1), False),
        (Limits(family=2, started_by=NOW - DAY - 1), False),
        (Limits(family=1, started_by=NOW), False),
        (Limits(family=2, started_by=NOW), True),
    ],
)
def test_revocation_that_is_late_ends_no_newer_link(limits: Limits, expected: bool) -> None:
    """By family, by time, by both."""
    assert expected is is_meant(ROW, limits)


@pytest.mark.parametrize(
    ("before", "after", "is_first"),
    [((2, 0), (2, 1), True), ((2, 0), (2, 0), False), ((2, 1), (2, 2), False), ((1, 0), (2, 1), False)],
)
def test_first_use_of_a_family(before: tuple[int, int], after: tuple[int, int], *, is_first: bool) -> None:
    """When the first of its generations was seen, and not when it began."""
    old, new = (replace(ROW, family=family, seen_generation=seen) for family, seen in (before, after))
    assert is_first == grant.is_first_use(old, new)
