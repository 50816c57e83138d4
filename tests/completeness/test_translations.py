"""Every word of the pages is there in every language, says the same, and is where the code expects it."""

import re
from io import BytesIO

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from deploy import translations
from gateway.pages import languages
from gateway.pages.rendering import page
from gateway.pages.samples import samples
from shared.settings import ServiceSettings

TRANSLATED = [language for language in languages.LANGUAGES if language != languages.SOURCE]


def catalogue(language: str) -> Catalog:
    source = languages.source_of(language).read_bytes()
    return read_po(BytesIO(source), locale=language.replace("-", "_"), abort_invalid=True)


def messages(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def forms(words: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def parts(text: str) -> list[str]:
    """Return what has to be the same in each language: places for values, and tags."""
    return sorted(re.findall(r"%\(\w+\)[sd]|</?\w+>", text))


@pytest.mark.parametrize("language", TRANSLATED)
def test_catalogue_is_in_step_with_templates_and_code(language: str) -> None:
    """`make translations` would change nothing."""
    assert translations.updated(language).decode() == languages.source_of(language).read_text("utf-8")


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_is_translated(language: str) -> None:
    """No empty one, no fuzzy one; what is missing is named here."""
    missing = [
        message.id for message in messages(language) if message.fuzzy or not all(forms(message.string))
    ]

    assert [] == missing


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_has_the_same_values_and_tags(language: str) -> None:
    """A translation names what the English names; the form for one thing may leave its number out."""
    wrong = []
    for message in messages(language):
        english, translated = forms(message.id), forms(message.string)
        expected = [parts(english[-1])]
        wrong += [message.id for words in translated[-1:] if parts(words) not in expected]
        allowed = [parts(words) for words in english]
        wrong += [message.id for words in translated[:-1] if parts(words) not in allowed]

    assert [] == wrong


@pytest.mark.parametrize("language", TRANSLATED)
def test_plural_forms_are_those_of_the_language(language: str) -> None:
    """As many forms as the language has, and the rule that Unicode's data gives it."""
    source = languages.source_of(language).read_text("utf-8")
    expected = Catalog(locale=language.replace("-", "_")).plural_forms

    assert f'"Plural-Forms: {expected}\\n"' in source


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_every_page_is_made_in_every_language(language: str) -> None:
    """The root element says which language it is, and nothing of a template is left over."""
    with languages.spoken(language):
        answers = [
            page(name, ServiceSettings(), values) for name, each in samples().items() for values in each
        ]

    for answer in answers:
        assert f'<html lang="{language}">' in (answer.text or "")
        assert language == answer.headers["Content-Language"]
        assert not re.search(r"%\(|\{\{|\{%", answer.text or "")


def test_every_page_has_examples() -> None:
    """A new template is tried at start, looked at in every language, and weighed: it needs its line in samples.py."""
    folder = translations.PAGES / "templates"
    helpers = {"base", "parts"}

    assert {path.stem for path in folder.glob("*.html")} - helpers == set(samples())
