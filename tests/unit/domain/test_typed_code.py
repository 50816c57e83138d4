"""Typed codes: what people may type, and how unlikely it is to hit one by chance."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import link_code, typed_code

KEY = b"k" * 32
NOW = 1_790_000_000
codes = st.binary(min_size=15, max_size=15).map(
    lambda random: link_code.issue(key=KEY, service="default", lifetime=600, now=NOW, random=random)[1]
)
lengths = st.sampled_from(typed_code.LENGTHS)
fillers = st.text(alphabet=" -\u2010\u2013\u00a0\u3000", max_size=3)


@given(verified=codes, length=lengths)
def test_code_is_letters_that_make_no_words(verified: link_code.VerifiedCode, length: int) -> None:
    """A typed code is consonants of RFC 8628's alphabet, and is its own normal form."""
    typed = verified.typed_code[:length]

    assert re.fullmatch(rf"[BCDFGHJKLMNPQRSTVWXZ]{{{length}}}", typed)
    assert typed == typed_code.normalise(typed)


@given(verified=codes, length=lengths, data=st.data())
def test_code_may_be_typed_in_any_way(
    verified: link_code.VerifiedCode, length: int, data: st.DataObject
) -> None:
    """Case, spaces, dashes and full-width letters make no difference."""
    typed = verified.typed_code[:length]
    wide = st.sampled_from((str.upper, str.lower, lambda letter: chr(ord(letter) + 0xFEE0)))
    sloppy = "".join(data.draw(wide)(letter) + data.draw(fillers) for letter in typed)

    assert typed == typed_code.normalise(sloppy)


@given(text=st.text())
def test_normal_form_is_a_code_or_nothing(text: str) -> None:
    """Whatever is typed becomes something that could be a code, or None, without an exception."""
    normal = typed_code.normalise(text)

    assert normal is None or (len(normal) in typed_code.LENGTHS and set(normal) <= set(typed_code.ALPHABET))


def test_only_so_much_of_what_is_typed_is_read() -> None:
    """Spaces before a code count; what no longer fits is not there."""
    typed = "BCDFGHJK"
    room = typed_code.LONGEST_INPUT - len(typed)

    assert typed == typed_code.normalise(" " * room + typed)
    assert typed == typed_code.normalise(" " * room + typed + "0" * 1_000_000)
    assert typed_code.normalise(" " * (room + 1) + typed) is None


@given(code=st.from_regex(r"k[a-z0-9]{31}", fullmatch=True))
def test_link_code_is_no_typed_code(code: str) -> None:
    """The two kinds of linkCode in a poll cannot be taken for each other."""
    assert typed_code.normalise(code) is None


@given(one=codes, two=codes, length=lengths)
def test_typed_code_belongs_to_its_own_link_code(
    one: link_code.VerifiedCode, two: link_code.VerifiedCode, length: int
) -> None:
    """Every length of a code's own name fits it, and no other name does."""
    assert typed_code.is_of(one.typed_code[:length], one.typed_code)
    assert (one.link_id == two.link_id) == typed_code.is_of(one.typed_code[:length], two.typed_code)


@pytest.mark.parametrize("typed", ["", "B", "BCDFGHJ", "BCDFGHJKLMN"])
def test_part_of_a_code_does_not_fit(typed: str) -> None:
    """A beginning of another length is not accepted in place of a code."""
    assert not typed_code.is_of(typed, typed + "B" * (12 - len(typed)))


@given(live=st.integers(min_value=0, max_value=5_000_000))
def test_guessing_never_gets_likelier_than_the_bound(live: int) -> None:
    """However many codes are live, five guesses hit one of them with a chance of at most 2^-27."""
    length = typed_code.length_for(live)
    chance = typed_code.GUESSES_PER_BROWSER * (live + 1) / len(typed_code.ALPHABET) ** length

    assert length in typed_code.LENGTHS
    assert chance <= 2**-27


@pytest.mark.parametrize(
    ("live", "length", "bound"),
    [(0, 8, 2**-32), (37, 8, 2**-27), (38, 9, 2**-27), (1_000, 10, 2**-27), (9_999, 10, 2**-27.5)],
)
def test_lengths_are_as_documented(live: int, length: int, bound: float) -> None:
    """The guard of docs/decisions/0012: fails when alphabet, lengths or budget drift apart."""
    guesses = typed_code.GUESSES_PER_BROWSER * (live + 1)

    assert length == typed_code.length_for(live)
    assert guesses / 20**length <= bound


def test_a_whole_network_stays_far_below_a_millionth() -> None:
    """All guesses of one address prefix, with as many live codes as each length allows."""
    worst = max(
        typed_code.GUESSES_PER_NETWORK * (live + 1) / 20 ** typed_code.length_for(live)
        for live in (0, 37, 761, 15_256, 1_000_000)
    )

    assert worst <= 2**-25


def test_counting_further_would_change_nothing() -> None:
    """The count that gateways stop at already asks for the longest code."""
    assert [12, 12, 10] == [
        typed_code.length_for(live) for live in (10**9, typed_code.MOST_COUNTED, typed_code.MOST_COUNTED - 3)
    ]


def test_stored_id_needs_the_key_and_the_service() -> None:
    """The same letters are another row under another key or for another service."""
    ids = {
        typed_code.typed_id(key, service=service, typed="BCDFGHJK")
        for key in (KEY, b"n" * 32)
        for service in ("one", "two")
    }

    assert 4 == len(ids)


@given(
    browser=st.lists(st.integers(NOW - 1200, NOW), max_size=12),
    network=st.lists(st.integers(NOW - 1200, NOW), max_size=40),
)
def test_waiting_helps_and_no_less_would(browser: list[int], network: list[int]) -> None:
    """After the time that is told one more code may be typed, and a second earlier it may not."""
    wait = typed_code.seconds_to_wait(browser=browser, network=network, now=NOW)
    after, before = (
        typed_code.seconds_to_wait(browser=browser, network=network, now=NOW + seconds)
        for seconds in (wait, wait - 1)
    )

    assert 0 <= wait <= typed_code.GUESS_WINDOW
    assert 0 == after
    assert wait == 0 or before == 1


@pytest.mark.parametrize(("wrong", "waits"), [(4, False), (5, True), (6, True)])
def test_five_wrong_codes_are_the_budget_of_a_browser(wrong: int, *, waits: bool) -> None:
    """The fifth wrong code is the last one that is looked at."""
    wait = typed_code.seconds_to_wait(browser=[NOW - 5] * wrong, network=[], now=NOW)

    assert (595 if waits else 0) == wait


def test_typed_codes_and_their_keys_are_those_of_yesterday() -> None:
    """Rows and codes that are out have to be known after an update."""
    derived = typed_code.derive(KEY, service="default", code="k" * 32)
    stored = typed_code.typed_id(KEY, service="default", typed="BCDFGHJK")

    assert ("DMFBJXLNDHJC", "59dfc5e1ee01b02add2b3dfb2cfcb184") == (derived, stored)


def test_guess_is_forgotten_in_the_second_it_is_due() -> None:
    """Ten minutes, and not one second more."""
    guesses = [NOW] * typed_code.GUESSES_PER_BROWSER

    assert [1, 0] == [
        typed_code.seconds_to_wait(browser=guesses, network=[], now=NOW + typed_code.GUESS_WINDOW - left)
        for left in (1, 0)
    ]
