"""Times in tokens of providers: to the second, with what clocks may differ by."""

from typing import Any

import pytest
from joserfc.jwk import KeySet, OKPKey

from auth_worker.providers.id_tokens import (
    LEEWAY_SECONDS,
    LOGOUT_EVENT,
    LOGOUT_SECONDS,
    Expected,
    Forged,
    check_id_token,
    check_logout_token,
)
from tests.play.forger import Forger

NOW = 1_790_000_000
FORGER = Forger(key=OKPKey.generate_key("Ed25519", {"kid": "first"}))
KEYS = KeySet([FORGER.key])
EXPECTED = Expected(issuer="https://login.example.com", client_id="latchkey", algorithms=["Ed25519"], now=NOW)
CLAIMS: dict[str, Any] = {"iss": EXPECTED.issuer, "aud": "latchkey", "sub": "ann", "iat": NOW}


def id_token(**claims: object) -> dict[str, Any]:
    token = FORGER.token(CLAIMS | {"exp": NOW + 300, "nonce": "n"} | claims)
    return check_id_token(token, KEYS, EXPECTED, nonce="n", access_token="a", max_age=60)


def logout_token(issued_at: int) -> dict[str, Any]:
    claims = CLAIMS | {"iat": issued_at, "jti": "one", "events": {LOGOUT_EVENT: {}}}
    return check_logout_token(FORGER.token(claims, typ="logout+jwt"), KEYS, EXPECTED)


@pytest.mark.parametrize(
    ("claim", "moment", "beyond"),
    [
        ("exp", NOW - LEEWAY_SECONDS + 1, -1),
        ("iat", NOW + LEEWAY_SECONDS, 1),
        ("nbf", NOW + LEEWAY_SECONDS, 1),
        ("auth_time", NOW - 60 - LEEWAY_SECONDS, -1),
    ],
)
def test_clocks_may_differ_by_so_much(claim: str, moment: int, beyond: int) -> None:
    """And by no second more."""
    times = {"auth_time": NOW}

    assert "ann" == id_token(**times | {claim: moment})["sub"]
    with pytest.raises(Forged):
        id_token(**times | {claim: moment + beyond})


def test_logout_token_is_believed_for_so_long() -> None:
    """Whoever has kept one ends nobody's account with it later."""
    oldest = NOW - LOGOUT_SECONDS - LEEWAY_SECONDS

    assert "ann" == logout_token(oldest)["sub"]
    with pytest.raises(Forged, match="from long ago"):
        logout_token(oldest - 1)
