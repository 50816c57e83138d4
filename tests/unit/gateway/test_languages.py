"""Which language somebody gets, and how its words are formed."""

import pytest

from gateway.pages import languages


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en-GB, fr;q=0.9", "en"),
        ("fr;q=0.5, it;q=0.9", "it"),
        ("pt-PT", "pt-BR"),
        ("PT-br", "pt-BR"),
        ("zh-Hans-CN", "zh-CN"),
        ("zh-TW, ja;q=0.5", "ja"),
        ("zh-Hant-HK", "en"),
        ("no", "nb"),
        ("nn-NO, sv;q=0.1", "nb"),
        ("xx, *;q=0.5", "en"),
        ("de;q=0, sv;q=0.1", "sv"),
        ("de;q=zero, sv", "sv"),
        ("x" * 10_000 + ",de", "en"),
    ],
)
def test_browser_says_what_it_likes(accepted: str, expected: str) -> None:
    """By weight, then by order; a longer tag means its shorter form, and what nobody here speaks is passed over."""
    assert expected == languages.choose(asked=None, remembered=None, accepted=accepted)


@pytest.mark.parametrize(("more", "expected"), [(0, "de"), (1, "en")])
def test_what_a_browser_likes_has_a_limit(more: int, expected: str) -> None:
    """The last word that is read ends where the limit is; one character later it is cut, and no word any more."""
    accepted = ",de".rjust(languages._LONGEST_HEADER + more, "x")

    assert expected == languages.choose(asked=None, remembered=None, accepted=accepted)


@pytest.mark.parametrize(
    ("asked", "remembered", "expected"),
    [("da", "sv", "da"), (None, "sv", "sv"), ("xx", "sv", "sv"), ("../de", None, "it"), (None, "", "it")],
)
def test_choice_is_stronger_than_the_browser(
    asked: str | None, remembered: str | None, expected: str
) -> None:
    """What was chosen just now, then what was chosen once, if it is one of ours."""
    assert expected == languages.choose(asked=asked, remembered=remembered, accepted="it")


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        ("en", "a minute ago", "2 minutes ago"),
        ("de", "vor einer Minute", "vor 2 Minuten"),
        ("ja", "1分前", "2分前"),
    ],
)
def test_number_decides_the_form(language: str, one: str, many: str) -> None:
    """As many forms as the language has."""
    with languages.spoken(language):
        told = [languages.ngettext("a minute ago", "%(num)d minutes ago", number) for number in (1, 2)]

    assert [one, many] == told


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "March 5, 2026"),
        ("de", "5. März 2026"),
        ("pt-BR", "5 de março de 2026"),
        ("zh-CN", "2026年3月5日"),
    ],
)
def test_day_is_written_as_people_write_it(language: str, expected: str) -> None:
    """From the locale's own data."""
    with languages.spoken(language):
        assert expected == languages.date(1_772_700_000)


def test_language_ends_with_its_block() -> None:
    """The next request on the same connection speaks its own."""
    with languages.spoken("de"):
        inside = languages.current()

    assert ("de", "en") == (inside, languages.current())
