"""Link codes: their shape, what they prove, and what they refuse without any table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import link_code

KEY = b"k" * 32
NOW = 1_790_000_000
randoms = st.binary(min_size=link_code.RANDOM_BYTES, max_size=link_code.RANDOM_BYTES)
times = st.integers(min_value=0, max_value=2**33)
lifetimes = st.integers(min_value=60, max_value=link_code.LONGEST_LIFETIME)


def issue(random: bytes = b"r" * 15, *, now: int = NOW, lifetime: int = 600, service: str = "default") -> str:
    code, _ = link_code.issue(key=KEY, service=service, lifetime=lifetime, now=now, random=random)
    return code


def verify(code: str, *, now: int = NOW, service: str = "default", keys: tuple[bytes, ...] = (KEY,)):
    return link_code.verify(code, keys=keys, service=service, now=now)


@given(random=randoms, now=times, lifetime=lifetimes)
def test_code_has_the_shape_every_client_survives(random: bytes, now: int, lifetime: int) -> None:
    """A code is 32 characters of [a-z0-9], first a letter."""
    code = issue(random, now=now, lifetime=lifetime)

    assert re.fullmatch(r"[a-z][a-z0-9]{31}", code)


@given(random=randoms, now=times, lifetime=lifetimes, data=st.data())
def test_code_is_valid_for_its_whole_life(
    random: bytes, now: int, lifetime: int, data: st.DataObject
) -> None:
    """At any moment before its expiry a code stands for what was issued."""
    code, issued = link_code.issue(key=KEY, service="default", lifetime=lifetime, now=now, random=random)
    moment = data.draw(st.integers(min_value=now, max_value=issued.expires_at))

    assert issued == verify(code, now=moment)


@given(random=randoms, now=times, lifetime=lifetimes, late=st.integers(min_value=121, max_value=10**9))
def test_expired_code_fails(random: bytes, now: int, lifetime: int, late: int) -> None:
    """After expiry and grace nothing is left of a code, not even when its expiry byte comes round again."""
    code, issued = link_code.issue(key=KEY, service="default", lifetime=lifetime, now=now, random=random)

    assert verify(code, now=issued.expires_at + late) is None


@given(code=st.one_of(st.text(), st.from_regex(r"k[a-z0-9]{31}", fullmatch=True)))
def test_made_up_code_fails(code: str) -> None:
    """Whatever is sent in place of a code is refused without an exception."""
    assert verify(code) is None


@given(
    random=randoms,
    position=st.integers(0, 31),
    character=st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"),
)
def test_changed_code_fails(random: bytes, position: int, character: str) -> None:
    """One other character anywhere makes another code, which was never issued."""
    code = issue(random)
    changed = code[:position] + character + code[position + 1 :]

    assert (verify(changed) is None) == (changed != code)


def test_code_of_another_service_fails() -> None:
    """Services of one deployment do not take each other's codes."""
    assert verify(issue(service="one"), service="two") is None


def test_retired_key_still_verifies() -> None:
    """A code outlives the rotation of its key, and keeps its link id."""
    before = verify(issue())

    assert before == verify(issue(), keys=(b"n" * 32, KEY))


def test_secrets_of_two_codes_share_nothing() -> None:
    """Each code has its own link id and its own hidden half."""
    one, two = verify(issue(b"1" * 15)), verify(issue(b"2" * 15))

    assert one is not None
    assert two is not None
    assert len({one.link_id, two.link_id, one.link_device_id[1:], two.link_device_id[1:]}) == 4


def test_hidden_half_looks_like_no_number() -> None:
    """Some clients parse number-like values as numbers, so the hidden half starts with a letter too."""
    verified = verify(issue())

    assert verified is not None
    assert re.fullmatch(r"d[0-9a-f]{31}", verified.link_device_id)


def test_codes_and_rows_are_those_of_yesterday() -> None:
    """A code that is out, and the row behind it, have to be known after an update."""
    code, verified = link_code.issue(
        key=KEY, service="default", lifetime=600, now=NOW, random=bytes(range(15))
    )

    assert (
        "key9kk9t64kcrywrape6l9pcpl6u7qpw",
        "f7a048484268c5bdca229c8b5f552bf4",
        "d0be9759fe066a530397be3cca84abe3",
    ) == (code, verified.link_id, verified.link_device_id)
    assert ("default", KEY, code) == (verified.service, verified.key, verified.code)
    assert (32, 32) == (len(verified.link_id), len(verified.link_device_id))


@pytest.mark.parametrize(("lifetime", "expires_at"), [(1, NOW + 40), (60, NOW + 100), (14_400, NOW + 14_440)])
def test_shortest_and_longest_life(lifetime: int, expires_at: int) -> None:
    """Up to a whole minute; to the second in which the grace is over."""
    code = issue(lifetime=lifetime)

    assert expires_at == verify(code).expires_at
    assert verify(code, now=expires_at + 119) is not None
    assert verify(code, now=expires_at + 120) is None


@pytest.mark.parametrize("lifetime", [-1, 0, link_code.LONGEST_LIFETIME + 1])
def test_no_code_lives_longer_than_its_one_byte_can_say(lifetime: int) -> None:
    """The setting is bounded before."""
    with pytest.raises(ValueError, match=f"^a link code lives at most 14400 s, not {lifetime}$"):
        issue(lifetime=lifetime)


@pytest.mark.parametrize("code", ["j" + "0" * 31, "k" + "z" * 31, "K" + "0" * 31, "k" + "0" * 30])
def test_what_no_code_can_be(code: str) -> None:
    """Another letter in front, or a number that is too large."""
    assert verify(code) is None
    assert (len(code) == 32 and code.islower()) is link_code.has_shape(code)


def test_id_of_an_old_code_is_the_id_it_had() -> None:
    """Also when its time is long over; under another key, or of another service, it is another."""
    code = issue()
    verified = verify(code)
    assert verified is not None

    assert verified.link_id == link_code.link_id_of(code, key=KEY, service="default")
    others = {
        link_code.link_id_of(code, key=b"o" * 32, service="default"),
        link_code.link_id_of(code, key=KEY, service="other"),
        link_code.link_id_of(issue(b"s" * 15), key=KEY, service="default"),
    }
    assert 3 == len(others - {verified.link_id})
