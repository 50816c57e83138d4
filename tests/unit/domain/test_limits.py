"""How often a password may be guessed: by whom, from where, and who has to wait."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import limits
from shared.domain.limits import Budget, Limits, Tries, Try, TryState

NOW = 1_790_000_000
DAY = 86400
LIMITS = Limits(
    place=Budget(free=5, memory=DAY),
    account=Budget(free=20, memory=DAY),
    network=Budget(free=50, memory=3600),
    first_delay=30,
    longest_delay=1800,
)
"""As the settings have them by default."""

MINE = "mine"
times = st.integers(NOW - 2 * DAY, NOW)
others = st.builds(Try, at=times, tag=st.sampled_from(["a", "b", "c"]), state=st.sampled_from(TryState))
lists = st.lists(others, max_size=80).map(tuple)
since = st.none() | times
everything = st.builds(
    Tries,
    account=lists,
    network=lists,
    at_network=lists,
    at_place=lists,
    network_known_since=since,
    place_known_since=since,
    now=st.just(NOW),
)


def wrong(count: int, *, ago: int = 1) -> tuple[Try, ...]:
    return tuple(Try(at=NOW - ago, tag=str(number)) for number in range(count))


def wait(tries: Tries) -> int:
    return limits.judge(tries, tag=MINE, limits=LIMITS).wait


@given(tries=everything)
def test_nobody_waits_for_longer_than_the_bound(tries: Tries) -> None:
    """Whatever was tried, by whomever: after the time that is told one more may be tried, and it is never long."""
    seconds = wait(tries)

    assert 0 <= seconds <= LIMITS.longest_delay
    assert 0 == wait(replace(tries, now=NOW + seconds))


@given(tries=everything, known=times, elsewhere=lists)
def test_owner_is_not_locked_out_by_others(tries: Tries, known: int, elsewhere: tuple[Try, ...]) -> None:
    """Where the account was signed in to before, nothing that is tried elsewhere makes anybody wait."""
    at_home = replace(tries, network_known_since=known, place_known_since=None)
    own_browser = replace(tries, place_known_since=known)

    assert wait(at_home) == wait(replace(at_home, account=elsewhere, at_place=elsewhere))
    assert wait(own_browser) == wait(
        replace(own_browser, account=elsewhere, network=elsewhere, at_network=elsewhere)
    )


@pytest.mark.parametrize("known", [None, NOW - 100])
def test_neighbours_cannot_see_who_has_an_account(known: int | None) -> None:
    """With the network's budget used up, everybody there waits alike, whether the account was ever signed in to from there or not."""
    used_up = Tries(network=wrong(50), network_known_since=known, now=NOW)

    assert 29 == wait(used_up)


@given(tries=everything, more=st.integers(0, 30))
def test_more_wrong_passwords_never_shorten_the_wait(tries: Tries, more: int) -> None:
    """One cannot guess one's way out."""
    worse = replace(
        tries,
        account=tries.account + wrong(more, ago=0),
        network=tries.network + wrong(more, ago=0),
        at_network=tries.at_network + wrong(more, ago=0),
        at_place=tries.at_place + wrong(more, ago=0),
    )

    assert wait(tries) <= wait(worse)


@pytest.mark.parametrize(("key", "free"), [("at_network", 5), ("account", 20), ("network", 50)], ids=str)
def test_each_budget_alone_is_enough_to_wait(key: str, free: int) -> None:
    """One below it nobody waits; at it thirty seconds; from then on twice as long each time."""
    waits = [wait(replace(Tries(now=NOW), **{key: wrong(count)})) for count in range(free - 1, free + 9)]

    assert [0, 29, 59, 119, 239, 479, 959, 1799, 1799, 1799] == waits


@pytest.mark.parametrize("kind", ["network_known_since", "place_known_since"])
def test_known_place_has_its_own_budget_and_right_passwords_empty_it(kind: str) -> None:
    """Five wrong ones there wait, too; what was wrong before the right one came is forgiven."""
    key = "at_network" if kind == "network_known_since" else "at_place"
    known = replace(Tries(now=NOW), **{kind: NOW - 100, key: wrong(5, ago=99)})
    forgiven = replace(known, **{key: wrong(5, ago=100)})

    assert (0, True) == (wait(forgiven), wait(replace(known, now=NOW - 98)) > 0)


def test_same_wrong_password_is_one_guess() -> None:
    """A household whose password was changed repeats the old one for days: it is refused, and nobody waits for it."""
    before = NOW - limits.REPEAT_SECONDS
    tries = Tries(account=(*wrong(3), Try(at=before, tag=MINE)), at_network=wrong(4), now=NOW)
    again = limits.judge(tries, tag=MINE, limits=LIMITS)
    at_once = limits.judge(replace(tries, now=NOW - 1), tag=MINE, limits=LIMITS)

    assert (0, True, False) == (again.wait, again.is_repeat, again.is_known_wrong)
    assert (0, True, True) == (at_once.wait, at_once.is_repeat, at_once.is_known_wrong)


@given(tries=everything)
def test_nothing_is_looked_at_over_a_budget(tries: Tries) -> None:
    """Not even what looks like a repeat: sixteen bits are soon hit by trying."""
    without = replace(tries, account=tuple(each for each in tries.account if each.tag != "a"))
    repeat = Try(at=NOW - 3600, tag="a")
    decision = limits.judge(replace(without, account=(*without.account, repeat)), tag="a", limits=LIMITS)

    assert decision.is_repeat
    assert not decision.wait
    assert decision.is_known_wrong >= (limits.judge(without, tag="a", limits=LIMITS).wait > 0)


def test_what_is_looked_at_just_now_counts_unless_it_is_the_same() -> None:
    """Ten players of a household that sign in at once are one guess; ten passwords at once are ten, for a minute."""
    begun = NOW - limits.PENDING_SECONDS + 1
    pending = tuple(Try(at=begun, tag=str(number), state=TryState.PENDING) for number in range(10))
    same = tuple(replace(each, tag=MINE) for each in pending)
    lost = tuple(replace(each, at=begun - 1) for each in pending)

    assert (True, False, False) == tuple(
        wait(Tries(at_network=tries, now=NOW)) > 0 for tries in (pending, same, lost)
    )


@pytest.mark.parametrize(
    ("budget", "days", "most"),
    [(LIMITS.place, 1, 60), (LIMITS.account, 1, 75), (LIMITS.account, 30, 1600), (LIMITS.network, 1, 1300)],
)
def test_guesses_of_the_most_patient_attacker(budget: Budget, days: int, most: int) -> None:
    """Whoever guesses whenever it is allowed gets so many guesses, and no more: the numbers of docs/limits.md."""
    guesses: list[int] = []
    now = NOW
    while now < NOW + days * DAY:
        guesses.append(now)
        now += max(1, limits.seconds_to_wait(guesses, budget, LIMITS, now=now))

    assert most * 0.8 <= len(guesses) <= most


@pytest.mark.parametrize("spelling", ["ANN", " ann ", "Ann", "\uff41\uff4e\uff4e"])  # the last is full-width
def test_spellings_are_one_account(spelling: str) -> None:
    """Case, spaces around it and the width of letters do not make another account."""
    assert "ann" == limits.normal_name(spelling)
