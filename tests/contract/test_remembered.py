"""Verifying a token and remembering that it was verified: whatever is presented, as often as it is, both say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.remembered import MOST, RememberingVerifier
from shared import keys
from shared.context import SystemRandom
from shared.domain.errors import TokenRefused
from shared.domain.token import TokenClaims
from shared.tokens import TokenVerifier, sign

MADE = keys.create(SystemRandom().token_bytes)
OTHER = keys.create(SystemRandom().token_bytes)


def _claims(number: int, *, issuer: str = "here", service: str = "default") -> TokenClaims:
    return TokenClaims(
        issuer=issuer,
        service=service,
        account_id="a",
        grant_id=f"g{number}",
        family=1,
        generation=number,
        issued_at=0,
        expires_at=1,
    )


TOKENS = [
    *(sign(_claims(number), MADE.token_worker.signing[0]) for number in range(3)),
    sign(_claims(0, service="other"), MADE.token_worker.signing[0]),
    sign(_claims(0, issuer="elsewhere"), MADE.token_worker.signing[0]),
    sign(_claims(0), OTHER.token_worker.signing[0]),
    "",
    "a.b.c",
    "\ud800",
]


def _outcome(verifier: TokenVerifier, token: str, service: str) -> object:
    try:
        return verifier.verify(token, service=service)
    except TokenRefused as refused:
        return str(refused)


def _cut_or_changed(token: str, at: int, letter: str) -> str:
    return token[: at % (len(token) + 1)] + letter + token[at % (len(token) + 1) + len(letter) :]


@given(
    presented=st.lists(
        st.tuples(
            st.sampled_from(TOKENS),
            st.integers(0, 400),
            st.sampled_from(["", "", "A", "x."]),
            st.sampled_from(["default", "other"]),
        ),
        max_size=12,
    )
)
def test_same_verdict(presented: list[tuple[str, int, str, str]]) -> None:
    """Genuine, altered and foreign tokens in any order, with room for two."""
    plain = TokenVerifier(MADE.public.signing, issuer="here")
    remembering = RememberingVerifier(MADE.public.signing, issuer="here", most=2)
    for token, at, letter, service in presented:
        altered = _cut_or_changed(token, at, letter)
        for _ in range(2):
            assert _outcome(plain, altered, service) == _outcome(remembering, altered, service)


def test_genuine_token_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time its signature is not looked at; one that was refused is looked at each time."""
    looked_at = []
    verify = TokenVerifier.genuine

    def counted(self: TokenVerifier, token: str) -> TokenClaims:
        looked_at.append(token)
        return verify(self, token)

    monkeypatch.setattr(TokenVerifier, "genuine", counted)
    remembering = RememberingVerifier(MADE.public.signing, issuer="here")
    for token in (TOKENS[0], TOKENS[5]) * 3:
        _outcome(remembering, token, "default")

    assert [TOKENS[0], *[TOKENS[5]] * 3] == sorted(looked_at, key=[TOKENS[0], TOKENS[5]].index)


def test_no_token_is_kept() -> None:
    """What is remembered opens nothing."""
    remembering = RememberingVerifier(MADE.public.signing, issuer="here")
    remembering.verify(TOKENS[0], service="default")

    assert TOKENS[0] not in repr(remembering._seen)


def test_memory_is_bounded() -> None:
    """The token that was not seen for longest makes room; nobody who makes a verifier gives it more without saying so."""
    remembering = RememberingVerifier(MADE.public.signing, issuer="here", most=2)
    for number in (0, 1, 0, 2):
        remembering.verify(TOKENS[number], service="default")

    assert ["g0", "g2"] == [claims.grant_id for claims in remembering._seen.values()]
    assert MOST == RememberingVerifier(MADE.public.signing, issuer="here")._most
