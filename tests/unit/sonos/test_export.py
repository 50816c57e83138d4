"""What Sonos gets to see of a service: every text it looks up, in every language, in both of its forms."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from deploy.sonos import export, strings, versions, words
from deploy.sonos.export import Own
from deploy.sonos.strings import Table
from gateway.pages.languages import LANGUAGES
from gateway.smapi.faults import FAULTS
from shared.settings import Settings, load

URL = "https://static.example.com/sonos"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
SELF_TEST = {
    *("en-US", "da-DK", "de-DE", "es-ES", "fr-FR", "it-IT"),
    *("ja-JP", "nb-NO", "nl-NL", "pt-BR", "sv-SE", "zh-CN"),
}
"""The languages of Sonos's own stringtable.py."""
EVERY_ID = {
    "title": "Tom & <Jerry>",
    "app_url": "acme://link?code={linkCode}",
    "sign_in_string_id": "ENTER",
    "create_account": {"string_id": "JOIN"},
    "app": {
        "failure_string_id": "FAILED",
        "failure_url": "https://example.com/help",
        "failure_url_string_id": "HELP",
        "install": {"message_string_id": "INSTALL", "url": "https://example.com/app", "url_string_id": "GET"},
        "call_to_action": {"message_string_id": "NOT_HERE", "url_string_id": "MORE"},
    },
}
IDS = {"ENTER", "JOIN", "FAILED", "HELP", "INSTALL", "GET", "NOT_HERE", "MORE"}


def settings(**service: object) -> Settings:
    return load(
        database_url="sqlite+aiosqlite:////nowhere.db",
        broker_url="memory://",
        keys_dir=Path("/nowhere"),
        public_url="https://link.example.com",
        services={"default": service},
    )


def exported(own: Table | None = None, **service: object) -> dict[str, bytes]:
    return export.files(settings(**service), "default", Own(texts=own or {}), url=URL, before={})


def everywhere(name: str, text: str = "text") -> Table:
    return {tag: {"integration": {name: text}} for tag in SELF_TEST}


def test_languages_are_those_of_sonos() -> None:
    """Each of ours has its name there, and no other would be taken."""
    assert set(LANGUAGES) == set(words.SONOS_TAGS)
    assert SELF_TEST == set(words.SONOS_TAGS.values())


def test_every_sonos_error_has_its_text() -> None:
    """The self test calls a fault malformed whose number has none."""
    assert {fault.sonos_error for fault in FAULTS if fault.sonos_error} == set(words.ERRORS)


def test_every_id_of_the_settings_has_a_text_in_every_language() -> None:
    """Buttons, failures, calls to action and errors: translated, with the service's title in its place."""
    table = json.loads(exported(**EVERY_ID)[export.STRINGS])

    assert SELF_TEST == set(table)
    for parts in table.values():
        assert {"service-description", "service-promo"} == set(parts["common"])
        assert IDS | {"Error5Message", "Error6Message"} == set(parts["integration"])
        assert all(text and "%(" not in text for texts in parts.values() for text in texts.values())
    assert (
        "Tom & <Jerry> could not be added. Please start again."
        == (table["en-US"]["integration"]["Error6Message"])
    )
    assert "Konto anlegen" == table["de-DE"]["integration"]["JOIN"]


def test_no_two_languages_say_the_same() -> None:
    """A catalogue that was forgotten would show the English."""
    table = json.loads(exported(**EVERY_ID)[export.STRINGS])

    assert len(SELF_TEST) == len({parts["integration"]["Error6Message"] for parts in table.values()})


def test_strings_xml_says_the_same_as_the_json() -> None:
    """Well-formed, in Sonos's namespace, every table with the same ids, and with its version."""
    files = exported(**EVERY_ID)
    root = ET.fromstring(files[export.STRINGS_XML])
    namespace = f"{{{strings.NAMESPACE}}}"
    tables = {
        each.get(XML_LANG): {string.get("stringId"): string.text for string in each}
        for each in root.findall(f"{namespace}stringtable")
    }
    expected = {
        tag: parts["integration"] | {"ServicePromo": parts["common"]["service-promo"]}
        for tag, parts in json.loads(files[export.STRINGS]).items()
    }

    assert f"{namespace}stringtables" == root.tag
    assert expected == tables
    assert {"1"} == {each.get("rev") for each in root}
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", name or "") for name in tables["en-US"])


def test_service_without_links_has_no_buttons() -> None:
    """Nobody signs in by a page there."""
    table = json.loads(exported(auth="anonymous")[export.STRINGS])

    assert {"Error5Message", "Error6Message"} == set(table["ja-JP"]["integration"])


def test_own_texts_win_and_are_added() -> None:
    """The catalogue's errors stand in the same file, and a button may be called what the service likes."""
    own = strings.merged(everywhere("SIGN_IN", "Los!"), everywhere("Error100Message"))
    table = json.loads(exported(own)[export.STRINGS])

    assert {"Los!"} == {parts["integration"]["SIGN_IN"] for parts in table.values()}
    assert {"Error5Message", "Error6Message", "Error100Message", "SIGN_IN"} == set(
        table["sv-SE"]["integration"]
    )


@pytest.mark.parametrize(
    ("own", "complaint"),
    [
        ({"en-US": {"integration": {"X": "text"}}}, "sv-SE: no text for X under `integration`"),
        ({"en-US": {"integration": {"SIGN_IN": ""}}}, "en-US: no text for SIGN_IN"),
        ({"fi-FI": {"integration": {}}}, "fi-FI: no language of Sonos's"),
        (everywhere("a b"), "'a b': an id has 1 to 64"),
    ],
)
def test_texts_that_sonos_would_refuse(own: Table, complaint: str) -> None:
    """It is said which language lacks what; nothing is written."""
    with pytest.raises(ValueError, match=complaint):
        exported(own)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"en-US": []}', b'{"en-US": {"integration": {"X": 1}}}'])
def test_file_that_is_no_table_of_texts(content: bytes) -> None:
    """The message shows how one looks."""
    with pytest.raises(ValueError, match=r"no JSON|write it as"):
        strings.read(content)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"<Presentation>", "well-formed"), (b"<stringtables/>", "has to be <Presentation>")],
)
def test_presentation_map_that_cannot_be_read(content: bytes, complaint: str) -> None:
    """Sonos would keep the last one without a word."""
    with pytest.raises(ValueError, match=complaint):
        export.checked_map(content)


def test_empty_map_is_one() -> None:
    """Where the service brings none."""
    assert export.EMPTY_MAP == export.checked_map(export.EMPTY_MAP)


def test_version_grows_with_the_content_alone(tmp_path: Path) -> None:
    """The same again keeps its version; another text gets the next, in each place that names it; the map keeps its own."""
    for title in ("One", "One", "Two"):
        contents = export.files(
            settings(title=title), "default", Own(texts={}), url=URL, before=versions.read(tmp_path)
        )
        changed = export.write(tmp_path, contents)
        now = versions.read(tmp_path)
        if title == "One":
            assert {1} == {each.version for each in now.values()}
    manifest = json.loads((tmp_path / export.MANIFEST).read_text())

    assert (2, 1) == (now["strings"].version, now["presentationMap"].version)
    assert ("1.0", 2, 1) == (
        manifest["schemaVersion"],
        manifest["strings"]["version"],
        manifest["presentationMap"]["version"],
    )
    assert 'rev="2"' in (tmp_path / export.STRINGS_XML).read_text()
    assert "version 2" in (tmp_path / export.CHECKLIST).read_text()
    assert tmp_path / export.MAP not in changed


def test_damaged_versions_are_told(tmp_path: Path) -> None:
    """Starting from one again would be ignored by Sonos for ever."""
    (tmp_path / versions.FILE).write_text('{"strings": {}}')
    with pytest.raises(ValueError, match="damaged"):
        versions.read(tmp_path)


def test_checklist_has_the_fields_of_the_portal() -> None:
    """As the settings have them; what the settings cannot know is marked."""
    lines = exported(title="Acme", poll_interval=90)[export.CHECKLIST].decode()

    assert "| SMAPI Endpoint | `https://link.example.com/smapi` |" in lines
    assert "| Authentication Method | OAuth |" in lines
    assert "| Polling Interval | 90 seconds |" in lines
    assert "| Integration ID | *yours to fill in*" in lines
    assert f"`{URL}/manifest.json`" in lines
