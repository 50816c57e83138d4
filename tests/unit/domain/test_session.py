"""The rules of sessions: lifetimes, room for one more, and no way back from the end."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import account, errors, session
from shared.domain.account import Account, AccountStatus, AccountTier
from shared.domain.session import Session, SessionRules

RULES = SessionRules(idle=2400, absolute=10_000, most=3)
NOW = 1_800_000_000
OPENED = session.opened(
    session_hash="hash", service="default", account_id="a", household_id="h", rules=RULES, now=NOW
)
ACCOUNT = Account(account_id="a", service="default", provider="local", subject="s", nickname="Ann")


@given(st.binary(min_size=session.RANDOM_BYTES, max_size=session.RANDOM_BYTES))
def test_session_ids_are_what_sonos_takes(random: bytes) -> None:
    """Letters and digits, first a letter, far below 128 characters."""
    assert re.fullmatch("s[a-z2-7]{32}", session.new_id(random))


def test_a_hash_belongs_to_one_service() -> None:
    """The same id in another service is another session, and the hash shows nothing of the id."""
    one, other = session.hash_of("sid", service="one"), session.hash_of("sid", service="other")

    assert one != other
    assert re.fullmatch("[0-9a-f]{64}", one)


def test_a_session_lives_to_the_second() -> None:
    """It is good until its idle time is over, and not in that second."""
    assert OPENED == session.check_usable(OPENED, now=NOW + 2399)
    with pytest.raises(errors.SessionUnknown):
        session.check_usable(OPENED, now=NOW + 2400)


@given(st.lists(st.integers(min_value=0, max_value=20_000)))
def test_use_never_outlives_the_absolute_lifetime(moments: list[int]) -> None:
    """However it is used: the end only moves on, stays below both limits, and an ended session does not come back."""
    current = OPENED
    for moment in moments:
        after = session.used(current, rules=RULES, now=NOW + moment)
        assert current.expires_at <= after.expires_at <= NOW + RULES.absolute
        assert after.expires_at <= after.used_at + RULES.idle
        if NOW + moment >= current.expires_at:
            assert after is current
        current = after


def test_the_same_use_twice_is_one() -> None:
    """A redelivery, or a use told late, changes nothing."""
    used = session.used(OPENED, rules=RULES, now=NOW + 200)

    assert used is session.used(used, rules=RULES, now=NOW + 200)
    assert used is session.used(used, rules=RULES, now=NOW + 100)
    assert OPENED.version + 1 == used.version


def test_not_every_use_is_told() -> None:
    """A twenty-fourth of the idle time apart is often enough."""
    told = [session.is_worth_telling(OPENED, rules=RULES, now=NOW + after) for after in (0, 99, 100)]

    assert [False, False, True] == told


@given(st.lists(st.integers(min_value=0, max_value=9), max_size=9))
def test_there_is_room_for_one_more(ages: list[int]) -> None:
    """With the surplus gone one more fits, and nobody older than who went has stayed."""
    present = [
        replace(OPENED, session_hash=str(number), used_at=NOW + age) for number, age in enumerate(ages)
    ]
    gone = session.surplus(present, RULES)
    stayed: set[Session] = set(present) - set(gone)

    assert max(0, len(present) - 2) == len(gone)
    assert all(one.used_at <= other.used_at for one in gone for other in stayed)


def test_a_disabled_account_may_not_be_used() -> None:
    """Whatever its tier."""
    with pytest.raises(errors.AccountDisabled):
        account.check_usable(replace(ACCOUNT, status=AccountStatus.DISABLED), tiers=())


@pytest.mark.parametrize("tier", [None, AccountTier.FREE, AccountTier.NONE])
def test_other_tiers_may_not_be_used(tier: AccountTier | None) -> None:
    """Where tiers are named, an account of another one is refused, and so is one whose tier nobody told."""
    with pytest.raises(errors.AccountUnsupported):
        account.check_usable(replace(ACCOUNT, tier=tier), tiers=(AccountTier.PAID_PREMIUM,))


def test_a_named_tier_may_be_used() -> None:
    """And where none is named, all may."""
    paid = replace(ACCOUNT, tier=AccountTier.PAID_PREMIUM)

    assert paid is account.check_usable(paid, tiers=(AccountTier.PAID_PREMIUM,))
    assert ACCOUNT is account.check_usable(ACCOUNT, tiers=())


def test_new_session_is_what_was_asked_for() -> None:
    """Every field, and the earlier of both ends."""
    opened = session.opened(
        session_hash="hash", service="default", account_id="a", household_id="h", rules=RULES, now=NOW
    )
    expected = Session(
        session_hash="hash",
        service="default",
        account_id="a",
        household_id="h",
        created_at=NOW,
        used_at=NOW,
        expires_at=NOW + 2400,
    )
    short = session.opened(
        session_hash="hash",
        service="default",
        account_id="a",
        household_id="h",
        rules=replace(RULES, absolute=60),
        now=NOW,
    )

    assert expected == opened
    assert replace(expected, expires_at=NOW + 60) == short


def test_use_moves_the_end_and_the_version_on() -> None:
    """Up to the last second, and not in the one after it."""
    assert replace(
        OPENED, used_at=NOW + 2399, expires_at=NOW + 4799, version=OPENED.version + 1
    ) == session.used(OPENED, rules=RULES, now=NOW + 2399)
    assert OPENED is session.used(OPENED, rules=RULES, now=NOW + 2400)


def test_a_use_is_told_from_the_twenty_fourth_part_on() -> None:
    """In whole seconds, from that second on."""
    rules = replace(RULES, idle=2410)

    assert [False, True] == [
        session.is_worth_telling(OPENED, rules=rules, now=NOW + seconds) for seconds in (99, 100)
    ]
