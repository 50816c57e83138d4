"""How long a person's visit to the household page lasts, and what it may do."""

from dataclasses import replace

import pytest

from shared.domain import errors
from shared.domain import visit as visits
from shared.domain.visit import ABSOLUTE, ERASING, IDLE, PROOF, REFUSED, Purpose, Visit, VisitOutcome

NOW = 1_800_000_000


def opened(purpose: Purpose = Purpose.HOUSEHOLD) -> Visit:
    return visits.opened(visit_hash="v", service="default", purpose=purpose, account_id="account-1", now=NOW)


def refused() -> Visit:
    return visits.refused(
        visit_hash="v", service="default", purpose=Purpose.ERASE, outcome=VisitOutcome.REFUSED, now=NOW
    )


@pytest.mark.parametrize(
    ("visit", "at", "expected"),
    [
        (opened(), NOW + IDLE - 1, True),
        (opened(), NOW + IDLE, False),
        (opened(Purpose.ERASE), NOW + PROOF - 1, True),
        (opened(Purpose.ERASE), NOW + PROOF, False),
        (refused(), NOW, False),
        (None, NOW, False),
    ],
)
def test_visit_is_open_for_its_time(visit: Visit | None, at: int, expected: bool) -> None:
    """Thirty minutes to look around, five to erase, and never for whom was refused."""
    assert expected is visits.is_open(visit, now=at)


def test_use_keeps_a_visit_open_but_not_for_ever() -> None:
    """Each use gives another thirty minutes, up to twelve hours after signing in."""
    visit, now = opened(), NOW
    while visits.is_open(visit, now=now):
        visit, now = visits.used(visit, now=now + 1000), now + 1000

    assert NOW + ABSOLUTE <= now < NOW + ABSOLUTE + 1000


@pytest.mark.parametrize("visit", [replace(opened(), expires_at=NOW + 5), opened(Purpose.ERASE), refused()])
def test_use_brings_nothing_back(visit: Visit) -> None:
    """What has ended stays so, and a proof is not made fresher by use."""
    assert visit is visits.used(visit, now=NOW + 10)


def test_use_is_told_often_enough() -> None:
    """Not with every request, and long before the visit would go idle."""
    visit = opened()
    told = [seconds for seconds in range(IDLE) if visits.is_worth_telling(visit, now=NOW + seconds)]

    assert IDLE // 20 < told[0] < IDLE // 2
    assert not visits.is_worth_telling(opened(Purpose.ERASE), now=NOW + PROOF - 1)


@pytest.mark.parametrize(
    ("visit", "at"),
    [(None, NOW), (opened(), NOW), (refused(), NOW), (opened(Purpose.ERASE), NOW + PROOF)],
)
def test_only_a_fresh_proof_erases(visit: Visit | None, at: int) -> None:
    """Being signed in is not enough, and neither is a proof of earlier."""
    with pytest.raises(errors.VisitOver):
        visits.check_may_erase(visit, now=at)


def test_erasing_once_begun_is_finished() -> None:
    """A proof that was accepted holds until the event that follows from it is out, hours later if the broker is away."""
    begun = visits.erasing(opened(Purpose.ERASE), now=NOW + 10)
    again = visits.erasing(begun, now=NOW + 20)

    assert (begun, "account-1") == visits.check_may_erase(begun, now=NOW + 3600)
    assert begun is again


def test_secret_opens_one_purpose_of_one_service() -> None:
    """The same secret elsewhere names another row."""
    hashes = {
        visits.hash_of(secret, service=service, purpose=purpose)
        for secret in ("a", "b")
        for service in ("default", "other")
        for purpose in Purpose
    }

    assert 8 == len(hashes)


def test_new_visit_is_what_was_asked_for() -> None:
    """Every field, for whom was let in and for whom was not."""
    assert Visit(
        visit_hash="v",
        service="default",
        purpose=Purpose.ERASE,
        outcome=VisitOutcome.OPEN,
        account_id="account-1",
        opened_at=NOW,
        used_at=NOW,
        expires_at=NOW + PROOF,
    ) == opened(Purpose.ERASE)
    assert (
        Visit(
            visit_hash="v",
            service="default",
            purpose=Purpose.ERASE,
            outcome=VisitOutcome.REFUSED,
            account_id=None,
            opened_at=NOW,
            used_at=NOW,
            expires_at=NOW + REFUSED,
        )
        == refused()
    )


def test_each_change_is_the_next_version() -> None:
    """A use, and an erasing that begins."""
    visit, proof = opened(), opened(Purpose.ERASE)

    assert replace(visit, used_at=NOW + 9, expires_at=NOW + 9 + IDLE, version=2) == visits.used(
        visit, now=NOW + 9
    )
    assert replace(proof, expires_at=NOW + ERASING, version=2) == visits.erasing(proof, now=NOW)
    assert visit is visits.used(visit, now=NOW)


def test_use_is_told_from_the_tenth_part_on() -> None:
    """In that second already."""
    assert [False, True] == [
        visits.is_worth_telling(opened(), now=NOW + seconds) for seconds in (IDLE // 10 - 1, IDLE // 10)
    ]
