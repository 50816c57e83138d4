"""What an authToken says: to the letter, since content servers read it, too."""

from collections.abc import Mapping

import pytest

from shared.domain.errors import TokenRefused
from shared.domain.token import TokenClaims, claims_from_payload

CLAIMS = TokenClaims(
    issuer="link.example.com",
    service="default",
    account_id="account",
    grant_id="grant",
    family=2,
    generation=7,
    issued_at=1_790_000_000,
    expires_at=1_790_003_600,
)
PAYLOAD: Mapping[str, str | int] = {
    "iss": "link.example.com",
    "aud": "default",
    "sub": "account",
    "gid": "grant",
    "fam": 2,
    "gen": 7,
    "iat": 1_790_000_000,
    "exp": 1_790_003_600,
}


def test_claims_and_payload_say_the_same() -> None:
    """In this order: the same claims make the same token."""
    assert list(PAYLOAD.items()) == list(CLAIMS.payload().items())
    assert claims_from_payload(PAYLOAD) == CLAIMS


@pytest.mark.parametrize("name", PAYLOAD)
def test_claim_of_another_type_is_refused(name: str) -> None:
    """Missing, a number for a text or the other way round, a truth for a number; the log learns which."""
    kind = "a string" if isinstance(PAYLOAD[name], str) else "a number"
    for wrong in (None, True, 1.5, [], "1" if kind == "a number" else 1):
        with pytest.raises(TokenRefused, match=f"^claim '{name}' is missing or not {kind}$"):
            claims_from_payload({**PAYLOAD, name: wrong})


@pytest.mark.parametrize(("late", "expected"), [(-1, False), (59, False), (60, True), (61, True)])
def test_token_is_stale_after_a_minute_of_grace(late: int, expected: bool) -> None:
    """Clocks of gateways differ."""
    assert expected is CLAIMS.is_stale(CLAIMS.expires_at + late)
    assert CLAIMS.is_stale(CLAIMS.expires_at, grace=0)
