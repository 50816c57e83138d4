"""What goes along with a browser opens for that browser, that provider, and its time."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.pages import round_trip
from gateway.pages.browser import Browser
from gateway.pages.destinations import Destination
from gateway.pages.journeys import LONGEST_CODE, Refused, answer_of
from gateway.pages.round_trip import (
    LONGEST_STATE,
    State,
    challenge_of,
    nonce_of,
    open_state,
    seal_state,
    verifier_of,
)
from shared.context import SystemRandom
from shared.domain.visit import Purpose

BROWSER = Browser(secret="a" * 32, is_new=False)
STATE = State(code="canary-link-code", submission_id="s1", expires_at=1000)
KEY, OLD_KEY = b"k" * 32, b"o" * 32


def sealed(key: bytes = KEY) -> str:
    return seal_state(STATE, key=key, browser=BROWSER, provider="corp", random=SystemRandom())


def opened(value: str, *, browser: Browser = BROWSER, provider: str = "corp", now: int = 999) -> State | None:
    return open_state(value, keys=(KEY, OLD_KEY), browser=browser, provider=provider, now=now)


def test_state_comes_back() -> None:
    """Also one that was sealed before the key was changed; each time it looks different, and it shows nothing."""
    first, second = sealed(), sealed(OLD_KEY)

    assert [STATE, STATE] == [opened(first), opened(second)]
    assert first != sealed()
    assert "canary" not in repr(STATE)


@pytest.mark.parametrize("purpose", Purpose)
def test_state_of_the_household_page_comes_back(purpose: Purpose) -> None:
    """Whole, and within what is taken of a state even with the longest names."""
    state = State(
        service="s" * 64,
        purpose=purpose,
        visit="canary-secret-of-32-characters--",
        submission_id="s1",
        expires_at=1000,
    )
    value = seal_state(state, key=KEY, browser=BROWSER, provider="corp", random=SystemRandom())

    assert state == opened(value)
    assert len(value) <= LONGEST_STATE
    assert "canary" not in repr(state)


@pytest.mark.parametrize(
    ("prompt", "is_openid", "expected"),
    [
        ("", True, {"prompt": "login", "max_age": "0"}),
        ("none", True, {"prompt": "login", "max_age": "0"}),
        ("consent login", True, {"prompt": "login consent", "max_age": "0"}),
        ("", False, {"prompt": "login"}),
    ],
)
def test_new_proof_is_asked_for(prompt: str, is_openid: bool, expected: dict[str, str]) -> None:
    """In place of what the settings ask of everybody; without it, that stays as it is."""
    parameters = {"prompt": prompt, "max_age": "3600"} if prompt else {}
    destination = Destination(
        endpoint="https://id.example",
        parameters=parameters,
        is_openid=is_openid,
        issuer="",
        iss_parameter=False,
    )
    anew, usual = (dict(parse_qsl(urlsplit(destination.address(anew=each)).query)) for each in (True, False))

    assert (expected, parameters) == (anew, usual)


@pytest.mark.parametrize(
    "other",
    [
        {"browser": Browser(secret="b" * 32, is_new=False)},
        {"browser": Browser(secret="a" * 32, is_new=True)},
        {"provider": "other"},
        {"now": 1000},
    ],
    ids=["another browser", "a browser without cookie", "another provider", "too late"],
)
def test_state_of_somebody_else(other: dict[str, object]) -> None:
    """Does not open."""
    assert opened(sealed(), **other) is None  # type: ignore[arg-type]


def test_state_that_was_changed() -> None:
    """Not a single character may differ, and nothing that comes in its place breaks anything."""
    value = sealed()
    changed = [
        value[:place] + ("A" if value[place] != "A" else "B") + value[place + 1 :]
        for place in range(len(value) - 1)
    ]
    strange = ["", "A", "é", "=", "AAAA", "A" * 4000, value + "AAAA", value[:-4], sealed(b"x" * 32)]

    assert [None] * (len(changed) + len(strange)) == [opened(each) for each in changed + strange]


def test_state_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is as long as it may be opens; with one character more than that it would not, genuine as it is."""
    value, found = sealed(), []
    for longest in (len(value), len(value) - 1):
        monkeypatch.setattr(round_trip, "LONGEST_STATE", longest)
        found.append(opened(value))

    assert [STATE, None] == found


def test_code_has_a_limit() -> None:
    """The longest is taken, and a longer one is none."""
    destination = Destination(
        endpoint="https://a", parameters={}, is_openid=True, issuer="", iss_parameter=False
    )
    longest, longer = (
        make_mocked_request("GET", f"/callback/corp?code={'x' * length}")
        for length in (LONGEST_CODE, LONGEST_CODE + 1)
    )

    assert {"code": "x" * LONGEST_CODE} == answer_of(longest, destination)
    with pytest.raises(Refused, match="no code"):
        answer_of(longer, destination)


def test_verifier_and_nonce_belong_to_one_attempt_of_one_browser() -> None:
    """Nobody without the cookie knows them, and none follows from another."""
    other = Browser(secret="b" * 32, is_new=False)
    values = {
        make(each, attempt)
        for make in (verifier_of, nonce_of)
        for each in (BROWSER, other)
        for attempt in ("s1", "s2")
    }

    assert 8 == len(values)
    assert {43} == {len(value) for value in values}


def test_challenge_is_that_of_the_rfc() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" == challenge_of(verifier)


@pytest.mark.parametrize(
    ("issuer", "promised", "iss", "expected"),
    [
        ("https://a", True, "https://a", True),
        ("https://a", True, None, False),
        ("https://a", False, None, True),
        ("https://a", False, "https://b", False),
        ("https://a", True, "https://a/", False),
        ("", False, "https://b", True),
    ],
)
def test_issuer_of_an_answer(issuer: str, promised: bool, iss: str | None, expected: bool) -> None:
    """Compared whenever it comes, and missed where it was promised (RFC 9207)."""
    destination = Destination(
        endpoint="https://a/authorize", parameters={}, is_openid=True, issuer=issuer, iss_parameter=promised
    )

    assert expected is destination.is_from(iss)


def test_address_keeps_the_endpoints_own_query() -> None:
    """And nobody's settings take the place of what is ours."""
    destination = Destination(
        endpoint="https://a/authorize?tenant=1",
        parameters={"state": "from the settings", "scope": "openid profile"},
        is_openid=True,
        issuer="",
        iss_parameter=False,
    )

    assert "https://a/authorize?tenant=1&state=ours&scope=openid+profile" == destination.address(state="ours")
