"""Reads pages as a person would: which forms there are, what their buttons say, where the page goes on by itself."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

_YES = re.compile(
    r"\b(allow|approve|authori[sz]e|accept|agree|confirm|connect|continue|grant|link|yes)\b", re.IGNORECASE
)
_NO = re.compile(
    r"\b(abort|cancel|decline|deny|disallow|no|not|reject|refuse|register|sign[ -]?up)\b", re.IGNORECASE
)
_USER = re.compile(r"user|name|mail|login|account|identifier", re.IGNORECASE)
_CODE = re.compile(r"code", re.IGNORECASE)
_REFRESH = re.compile(r"^\s*(\d+)(?:\.\d+)?\s*(?:[;,]\s*url\s*=\s*['\"]?(.*?)['\"]?\s*)?$", re.IGNORECASE)
_TYPED = frozenset({"text", "email", "tel", "password", "search", "url", "number"})
_NEVER_SENT = frozenset({"submit", "button", "reset", "image", "file"})


@dataclass(kw_only=True)
class Form:
    """A form: where it goes, what it holds already, what a person types into it, and what its buttons say."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)
    """Name -> type of the fields that a person fills in."""
    buttons: list[str] = field(default_factory=list)
    button_values: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, value and words of each button that has a name."""

    @property
    def has_password(self) -> bool:
        """Tell whether it asks for a password."""
        return "password" in self.typed.values()

    @property
    def words(self) -> str:
        """Return what its buttons and its address say."""
        return " ".join([*self.buttons, self.action.rpartition("/")[2]])

    @property
    def is_yes(self) -> bool:
        """Tell whether it is the button that a person presses who wants this."""
        return bool(_YES.search(self.words)) and (
            not _NO.search(self.words) or self._yes_button() is not None
        )

    def _yes_button(self) -> tuple[str, str, str] | None:
        return next((b for b in self.button_values if _YES.search(b[2]) and not _NO.search(b[2])), None)

    def filled(self, given: Mapping[str, str], *, name: str, password: str, link_code: str) -> dict[str, str]:
        """Return what to send: what the form holds, what was given by name, and what can be told from the kind of field."""
        values = dict(self.values)
        for field_name, kind in self.typed.items():
            if kind == "password":
                values[field_name] = password
            elif _CODE.search(field_name):
                values[field_name] = link_code
            elif _USER.search(field_name) or kind == "email":
                values[field_name] = name
            else:
                values.setdefault(field_name, "")
        values |= {key: value for key, value in given.items() if key in self.typed or key in self.values}
        button = self._yes_button()
        if button is not None:
            values[button[0]] = button[1]
        return values


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page offers."""

    forms: tuple[Form, ...]
    refresh: tuple[float, str] | None
    """After how many seconds it goes on by itself, and where to."""
    text: str

    def next_form(self) -> Form | None:
        """Return the form that leads on: the one that asks for a password, for a code, or for a yes."""
        for wanted in (
            lambda form: form.has_password,
            lambda form: any(_CODE.search(name) for name in form.typed),
            lambda form: form.is_yes,
        ):
            found = next((form for form in self.forms if wanted(form)), None)
            if found is not None:
                return found
        return None


def read_page(text: str, url: str, *, refresh: str = "") -> Page:
    """Read a page of HTML; *refresh* is the header of that name, which browsers heed like the tag."""
    reader = _Reader(url)
    reader.note_refresh(refresh)
    with suppress(AssertionError):
        # The parser of Python 3.11 gives up like this on `<![` and what does not belong behind it.
        reader.feed(text)
        reader.close()
    return Page(
        forms=tuple(reader.forms), refresh=reader.refresh, text=" ".join("".join(reader.text).split())
    )


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.refresh: tuple[float, str] | None = None
        self.text: list[str] = []
        self._url = url
        self._inside: Form | None = None
        self._button: list[str] | None = None
        self._button_name: tuple[str, str] | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = Form(
                action=urljoin(self._url, values.get("action", "")),
                method=values.get("method", "get").lower(),
            )
            self.forms.append(self._inside)
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.note_refresh(values.get("content", ""))
        elif tag in {"script", "style"}:
            self._silent += 1
        elif self._inside is not None:
            self._in_form(self._inside, tag, values)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = None
        elif tag in {"script", "style"}:
            self._silent = max(0, self._silent - 1)
        elif tag == "button" and self._inside is not None and self._button is not None:
            self._note_button(self._inside, " ".join("".join(self._button).split()))

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button.append(data)
        if not self._silent:
            self.text.append(data)

    def note_refresh(self, content: str) -> None:
        """Take down after how long the page goes on, and where to."""
        match = _REFRESH.match(content)
        if match:
            self.refresh = (float(match[1]), urljoin(self._url, match[2] or ""))

    def _in_form(self, form: Form, tag: str, values: dict[str, str]) -> None:
        name, kind = values.get("name", ""), values.get("type", "").lower() or "text"
        if tag == "button" or (tag == "input" and kind == "submit"):
            self._button_name = (name, values.get("value", "")) if name else None
            self._button = []
            if tag == "input":
                self._note_button(form, values.get("value", ""))
        elif tag in {"input", "textarea"} and name and kind not in _NEVER_SENT:
            if kind in _TYPED:
                form.typed[name] = kind
            if values.get("value") and (kind not in {"checkbox", "radio"} or "checked" in values):
                form.values[name] = values["value"]

    def _note_button(self, form: Form, words: str) -> None:
        form.buttons.append(words)
        if self._button_name is not None:
            form.button_values.append((*self._button_name, words))
        self._button, self._button_name = None, None
