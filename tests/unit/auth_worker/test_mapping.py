"""What a provider's claims say of a person: who it is, and under which name."""

import pytest

from auth_worker.providers.mapping import LONGEST_NICKNAME, LONGEST_SUBJECT, identity_from
from auth_worker.providers.web import ProviderUnavailable
from shared.settings import ClaimSettings

SETTINGS = ClaimSettings()


def test_subject_has_a_limit() -> None:
    """One that is longer is none, as two that are cut could be the same."""
    longest = "s" * LONGEST_SUBJECT

    assert longest == identity_from({"sub": longest}, SETTINGS).subject
    with pytest.raises(ProviderUnavailable, match="did not say who the person is"):
        identity_from({"sub": f"{longest}s"}, SETTINGS)


@pytest.mark.parametrize(
    "claims",
    [{"sub": "ann", "nickname": "n" * (LONGEST_NICKNAME + 1)}, {"sub": "n" * (LONGEST_NICKNAME + 1)}],
    ids=["told", "subject in its place"],
)
def test_nickname_is_cut(claims: dict[str, object]) -> None:
    """Wherever it comes from."""
    assert "n" * LONGEST_NICKNAME == identity_from(claims, SETTINGS).nickname
