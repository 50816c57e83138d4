"""The languages of the pages: which one a person gets, and the words in it.

The words in templates and code are English and marked with `_`, `ngettext` or, in tables, `N_`; `locale/*/LC_MESSAGES/latchkey.po`
has them in the other languages, and `make translations` brings those files up to date. What is marked is looked up while a page is
made, in the language of the request that is being answered.
"""

import gettext as catalogues
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO

from babel.dates import format_date as _format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE = "en"
LANGUAGES = {
    "en": "English",
    "da": "Dansk",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "ja": "日本語",
    "nb": "Norsk",
    "nl": "Nederlands",
    "pt-BR": "Português (Brasil)",
    "sv": "Svenska",
    "zh-CN": "简体中文",
}
"""Those of the Sonos app: the tag, and what its speakers call it."""

_OTHER_TAGS = {
    "no": "nb",
    "nn": "nb",
    "pt": "pt-BR",
    "zh": "zh-CN",
    "zh-hans": "zh-CN",
    "zh-sg": "zh-CN",
}
"""Tags that mean one of ours without being a longer form of it. Whoever reads traditional Chinese only is not among them."""
_TAGS = {tag.lower(): tag for tag in LANGUAGES} | _OTHER_TAGS
_NOT_OURS = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")
_LONGEST_HEADER = 512

_current: ContextVar[str] = ContextVar("language", default=SOURCE)


def N_(message: str) -> str:  # noqa: N802 - the mark that gettext's tools know
    """Mark a message that is looked up later."""
    return message


def gettext(message: str, **values: object) -> str:
    """Return a message in the language of this request, with *values* in the places it names, such as ``%(name)s``."""
    return in_templates(message) % values


def ngettext(one: str, many: str, number: int, **values: object) -> str:
    """Return the form of a message that goes with *number*, which is ``%(num)s`` in it."""
    return in_templates_by_number(one, many, number) % {"num": number, **values}


def in_templates(message: str) -> str:
    """Return a message whose values Jinja fills in, escaped."""
    return _catalogue(_current.get()).gettext(message)


def in_templates_by_number(one: str, many: str, number: int) -> str:
    """Return the form of a message that goes with *number*; Jinja fills the values in."""
    return _catalogue(_current.get()).ngettext(one, many, number)


def current() -> str:
    """Return the language of this request."""
    return _current.get()


def date(seconds: int) -> str:
    """Return the day, in UTC, of a time in seconds since the epoch, as it is written in the language of this request."""
    day = datetime.fromtimestamp(seconds, UTC)
    return _format_date(day, format="long", locale=_current.get().replace("-", "_"))


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Let all words inside be in *language*."""
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


def choose(*, asked: str | None, remembered: str | None, accepted: str) -> str:
    """Return the language a page is shown in.

    Args:
        asked: what was chosen on the page just now.
        remembered: what was chosen earlier.
        accepted: the browser's `Accept-Language` (RFC 9110, 12.5.4).
    """
    for chosen in (asked, remembered):
        if chosen in LANGUAGES:
            return chosen
    return next((found for tag in _by_preference(accepted) if (found := _ours(tag))), SOURCE)


def _by_preference(accepted: str) -> list[str]:
    weighted = []
    for part in accepted[:_LONGEST_HEADER].split(","):
        tag, _, parameter = part.partition(";")
        weight = _weight(parameter)
        if weight > 0:
            weighted.append((weight, tag.strip().lower()))
    return [tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])]


def _weight(parameter: str) -> float:
    name, _, value = parameter.replace(" ", "").partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0


def _ours(tag: str) -> str | None:
    """Return our language that a tag means: itself, or the closest shorter form of it (RFC 4647, 3.4)."""
    if tag.startswith(_NOT_OURS):
        return None
    parts = tag.split("-")
    forms = ("-".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((_TAGS[form] for form in forms if form in _TAGS), None)


@cache
def _catalogue(language: str) -> catalogues.NullTranslations:
    """Return the words of a language; compiled from the file that translators write, so that there is one truth."""
    if language == SOURCE:
        return catalogues.NullTranslations()
    compiled = BytesIO()
    with source_of(language).open("rb") as source:
        write_mo(compiled, read_po(source, locale=language.replace("-", "_")))
    compiled.seek(0)
    return catalogues.GNUTranslations(compiled)


def source_of(language: str) -> Traversable:
    """Return the catalogue of a language, as its translators wrote it."""
    return files("gateway.pages") / "locale" / language.replace("-", "_") / "LC_MESSAGES" / "latchkey.po"
