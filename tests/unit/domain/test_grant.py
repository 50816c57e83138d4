"""Grants, rule by rule: the table in the module's docstring."""

from dataclasses import replace

import pytest

from shared.domain import errors, grant
from shared.domain.grant import Grant, GrantStatus, Lifetimes, MintingKeys, Presented

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
    assert grant.seen(ROW, presented(5), now=NOW) is ROW


def test_seeing_an_ended_family_changes_nothing() -> None:
    """A late sighting of the family before does not touch the new one."""
    assert grant.seen(replace(ROW, seen_generation=0), presented(9, family=1), now=NOW).seen_generation == 0


def test_erased_grant_is_over() -> None:
    """A token whose grant is gone is as dead as a revoked one."""
    with pytest.raises(errors.ReauthorizationNeeded):
        grant.check_usable(None, presented())


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
