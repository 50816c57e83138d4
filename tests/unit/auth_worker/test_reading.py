"""What goes to servers that take passwords, and what is read of their answers: each within bounds."""

import pytest

from auth_worker.providers.reading import (
    LONGEST_NAME,
    LONGEST_PASSWORD,
    LONGEST_SUBJECT,
    shown,
    text,
    typed,
)
from auth_worker.providers.web import Answer, ProviderUnavailable
from shared.boxes import LoginEvidence
from shared.domain.errors import SignInRefused

ANSWER = Answer(status=200, body=b"", address="https://home.example.com")


def test_longest_name_and_password_are_asked_about() -> None:
    """The spaces around a name are not counted."""
    name, password = "n" * LONGEST_NAME, "p" * LONGEST_PASSWORD

    assert (name, password) == typed(LoginEvidence(name=f" {name} ", password=password))


@pytest.mark.parametrize(("name", "password"), [(LONGEST_NAME + 1, 1), (1, LONGEST_PASSWORD + 1)])
def test_nobody_is_asked_about_what_is_longer(name: int, password: int) -> None:
    """It is refused, and not cut: what is left could be somebody else's."""
    with pytest.raises(SignInRefused):
        typed(LoginEvidence(name="n" * name, password="p" * password))


def test_subject_has_a_limit() -> None:
    """One that is longer is none, as two that are cut could be the same."""
    longest = "s" * LONGEST_SUBJECT

    assert longest == text({"id": longest}, "id", ANSWER)
    with pytest.raises(ProviderUnavailable, match="without a usable 'id'"):
        text({"id": f"{longest}s"}, "id", ANSWER)


def test_what_is_only_shown_is_cut() -> None:
    """A nickname says nothing about who it is."""
    assert "n" * LONGEST_SUBJECT == shown({"name": "n" * (LONGEST_SUBJECT + 1)}, "name", "nobody")
