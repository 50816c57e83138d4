"""Nothing that the playground shows opens anything."""

import pytest

from deploy.playground import masking
from shared.domain.revocation import Scope
from shared.messages import LinkLoginSubmitted, TokenRefreshRequested, TokenRevokeRequested

TOKEN = "eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoiYSJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (f"<ns:authToken>{TOKEN}</ns:authToken>", "<ns:authToken>eyJhbG…</ns:authToken>"),
        ("<key>pabcdefghij</key>", "<key>pabcde…</key>"),
        ("<regUrl>http://h/link/kabcdefgh?x=1</regUrl>", "<regUrl>http://h/link/kabcde…?x=1</regUrl>"),
        ("<password>open-the-door</password>", "<password>open-t…</password>"),
        ("<faultcode>Client.NOT_LINKED_RETRY</faultcode>", "<faultcode>Client.NOT_LINKED_RETRY</faultcode>"),
    ],
)
def test_elements_with_secrets_are_masked(xml: str, expected: str) -> None:
    """By their names, before anybody has learnt what is in them."""
    assert expected == masking.soap(xml, ())


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    """Also inside of another word, and the longer one first."""
    assert "a kabcde…! a kabcde…." == masking.without(
        "a kabcdefghij! a kabcdefgh.", ["kabcdefgh", "kabcdefghij"]
    )


def test_envelope_is_laid_out_for_reading() -> None:
    """An element a line, text beside its element, and nothing lost."""
    xml = '<?xml version="1.0"?><a x="1"><b>t</b><c/><d></d><e><f>u</f></e></a>'

    assert (
        '<?xml version="1.0"?>\n<a x="1">\n  <b>t</b>\n  <c/>\n  <d></d>\n  <e>\n    <f>u</f>\n  </e>\n</a>'
    ) == masking.indented(xml)


def test_events_show_no_hash_and_no_box() -> None:
    """Sealed bytes are counted, hashes cut, times readable, and empty fields left out."""
    refresh = TokenRefreshRequested(
        service="default",
        request_id="r",
        grant_id="g",
        family=1,
        generation=2,
        expires_at=0,
        key_hash="a" * 64,
    )
    login = LinkLoginSubmitted(
        service="default",
        link_id="abcdefghijklmnop",
        submission_id="s",
        browser="b" * 32,
        provider="local",
        evidence=b"x" * 99,
    )
    lines = [
        line.split(maxsplit=1) for line in f"{masking.event(refresh)}\n{masking.event(login)}".split("\n")
    ]
    shown = dict(lines)

    assert ("aaaaaa…", "00:00:00 UTC", "bbbbbb…") == (
        shown["key_hash"],
        shown["expires_at"],
        shown["browser"],
    )
    assert ("sealed, 99 bytes", "abcdefghijkl…") == (shown["evidence"], shown["link_id"])
    assert "correlation_id" not in shown


def test_ids_are_cut() -> None:
    """So that one can be told from another, and not copied; one that is short enough is shown whole."""
    whole = "i" * masking.LONGEST_ID

    assert (whole, f"{whole}…") == (
        masking.value_of("link_id", whole),
        masking.value_of("link_id", f"{whole}i"),
    )


def test_event_says_what_it_is() -> None:
    """Its kind comes first."""
    event = TokenRevokeRequested(service="default", scope=Scope.GRANT, value="g", reason="playground")

    assert masking.event(event).startswith("event    token.revoke_requested\n")
