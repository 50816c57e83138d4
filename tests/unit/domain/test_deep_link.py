"""Deep links: whatever stands in a value, the app gets back exactly that, and nothing else in the link moves."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import deep_link
from shared.domain.deep_link import PLACEHOLDERS, Platform

TEMPLATE = "https://app.example.com/sonos/{linkCode}?home={householdId}&back={callbackPath}&s={state}&r={redirectUri}#top"
S2 = "sonos-2://x-callback-url/addAccount?state=iid%3Dnet%2Eexample%26hhid%3DSonos_1.2%26callbackPath%3D%2FaddAccount"
# Surrogates cannot come: what Sonos sends was decoded from UTF-8.
LETTERS = st.characters(exclude_categories=["Cs"])
TEXT = st.text(LETTERS, max_size=60)
# Five of them fit into what Sonos takes, though a letter may take twelve characters.
SHORT = st.text(LETTERS, max_size=30)


@given(st.fixed_dictionaries(dict.fromkeys(PLACEHOLDERS, SHORT)))
def test_values_come_out_as_they_went_in(values: dict[str, str]) -> None:
    """Slashes, ampersands, braces, quotes, line ends, emoji: each value is one part of the address, and the rest stays."""
    link = deep_link.filled(TEMPLATE, values)
    assert link is not None
    parts = urlsplit(link)
    query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))

    assert f"/sonos/{values['linkCode']}" == unquote(parts.path)
    assert {
        "home": values["householdId"],
        "back": values["callbackPath"],
        "s": values["state"],
        "r": values["redirectUri"],
    } == query
    assert ("https", "app.example.com", "top") == (parts.scheme, parts.netloc, parts.fragment)
    assert link.isascii()
    assert link.isprintable()


@given(TEXT)
def test_any_callback_path_can_be_taken_apart(callback_path: str) -> None:
    """Nothing that a caller makes up stops the answer, and it is passed on as it came."""
    values = deep_link.values(link_code="code", household_id="Sonos_1", callback_path=callback_path)

    assert callback_path == values["callbackPath"]
    assert set(PLACEHOLDERS) == set(values)


@given(TEXT)
def test_state_is_undone_once(state: str) -> None:
    """Whatever Sonos put into the `state` of its address is what the app is to give back."""
    address = deep_link.filled("sonos-2://x-callback-url/addAccount?state={state}&x=1", {"state": state})
    values = deep_link.values(link_code="code", household_id="Sonos_1", callback_path=address or "")

    assert (state, "sonos-2://x-callback-url/addAccount") == (values["state"], values["redirectUri"])


@pytest.mark.parametrize(
    ("callback_path", "redirect_uri", "state"),
    [
        (
            S2,
            "sonos-2://x-callback-url/addAccount",
            "iid=net.example&hhid=Sonos_1.2&callbackPath=/addAccount",
        ),
        ("/addAccount", "sonos://x-callback-url/addAccount", ""),
        ("sonos://x-callback-url/addAccount", "sonos://x-callback-url/addAccount", ""),
        ("", "", ""),
        ("http://[broken", "", ""),
    ],
)
def test_callback_paths_that_were_seen(callback_path: str, redirect_uri: str, state: str) -> None:
    """The forms of S1 and S2, none, and nonsense."""
    values = deep_link.values(link_code="code", household_id="Sonos_1", callback_path=callback_path)

    assert (redirect_uri, state) == (values["redirectUri"], values["state"])


def test_link_that_is_too_long_is_none() -> None:
    """Sonos takes 2048 characters; encoding can make three of each."""
    fits, too_long = (deep_link.filled("a:{state}", {"state": "x" * count}) for count in (2046, 2047))

    assert (2048, None) == (len(fits or ""), too_long)


@pytest.mark.parametrize(
    ("hardware", "app_name", "expected"),
    [
        ("iPhone17,5", "ICRU_iPhone17,5", Platform.IOS),
        ("iPad16,3", "", Platform.IOS),
        ("", "ICRU_iPad16,3", Platform.IOS),
        ("Google:sunfish:Pixel 4a", "ACR_:Google:sunfish:Pixel 4a", Platform.ANDROID),
        ("samsung:a52q:SM-A525F", "", Platform.ANDROID),
        ("Windows", "WDCR:Microsoft Windows NT 10.0.19045 64-bit", Platform.OTHER),
        ("", "Sonos", Platform.OTHER),
        ("", "", Platform.OTHER),
    ],
)
def test_platform_by_what_devices_say(hardware: str, app_name: str, expected: Platform) -> None:
    """Values that real devices send."""
    assert expected is deep_link.platform_of(hardware=hardware, app_name=app_name)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("https://app.example.com/{linkCode}", None),
        ("moonlight://{linkCode}", None),
        ("moonlight:link?{linkCode}", None),
        ("https://app.example.com/{linkcode}", "there is no {linkcode}"),
        ("https://app.example.com/{linkDeviceId}?{linkCode}", "there is no {linkDeviceId}"),
        ("https://app.example.com/{linkCode", "brace"),
        ("https://app.example.com/}{linkCode}", "brace"),
        ("https://app.example.com/ü/{linkCode}", "percent-encoded"),
        ("https://app.example.com/a b/{linkCode}", "percent-encoded"),
        ("https://{linkCode}.example.com/", "placeholder in it"),
        ("https:///{linkCode}", "no host"),
        ("{linkCode}", "no address"),
        ("//app.example.com/{linkCode}", "no address"),
        ("javascript:alert({linkCode})", "no address"),
        ("JavaScript:alert({linkCode})", "no address"),
        ("https://app.example.com/", "lacks {linkCode}"),
    ],
)
def test_templates_are_judged_before_they_are_used(template: str, problem: str | None) -> None:
    """What is wrong is said; what is right is not complained about."""
    told = deep_link.problem_of(template, needs_code=True)

    assert (told is None) == (problem is None)
    assert (problem or "") in (told or "")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (
            "a:{nothing}",
            "there is no {nothing}; there is {linkCode}, {householdId}, {callbackPath}, {state}, {redirectUri}",
        ),
        (
            "a:{",
            "holds a brace that belongs to no placeholder, or a character that has to be percent-encoded",
        ),
        ("a", "is no address of an app; write it like https://app.example.com/sonos?code={linkCode}"),
        ("https:///", "has no host, or a placeholder in it; put placeholders into path and query"),
        ("a:b", "lacks {linkCode}, without which the app could approve nothing"),
    ],
)
def test_each_problem_says_the_way_out(template: str, problem: str) -> None:
    """To the letter: an operator reads it at start."""
    assert problem == deep_link.problem_of(template, needs_code=True)


def test_nothing_in_a_value_is_left_as_it_is() -> None:
    """Not even what an address may hold."""
    assert "a:X%2F%3AX" == deep_link.filled("a:{state}", {"state": "X/:X"})


@pytest.mark.parametrize(
    ("callback_path", "redirect_uri", "state"),
    [
        ("a://b?state=", "a://b", ""),
        ("a://b?state=&state=2", "a://b", ""),
        ("a://b?" + "x=1&" * 63 + "state=s#t", "a://b", "s"),
        ("a://b?" + "x=1&" * 64 + "state=s#t", "", ""),
    ],
)
def test_state_is_the_first_of_at_most_sixty_four(callback_path: str, redirect_uri: str, state: str) -> None:
    """An empty one is one, and who sends more is not read."""
    values = deep_link.values(link_code="code", household_id="Sonos_1", callback_path=callback_path)

    assert (redirect_uri, state) == (values["redirectUri"], values["state"])
