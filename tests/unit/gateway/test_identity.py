"""What a content server is told of the caller, and how long its word holds."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet
from msgspec.structs import replace

from gateway import identity
from gateway.caller import Caller
from gateway.identity import Voucher, check_keys, headers_of
from shared import keys
from shared.context import SystemRandom
from shared.domain.account import AccountTier
from shared.domain.errors import TokenRefused
from shared.keys import KeysError
from shared.tokens import TokenVerifier

RANDOM = SystemRandom().token_bytes
NOW = 1_800_000_000
URL = "http://content.internal/smapi"
CALLER = Caller(
    kind="link",
    favorites="1",
    service="default",
    account_id="abcdefghijkl",
    provider="local",
    subject="ann",
    household_id="Sonos_abc_7d55e99",
    grant_id="grantgrantgr",
    tier=AccountTier.PAID_PREMIUM,
)
MADE = keys.create(RANDOM)


def voucher() -> Voucher:
    return Voucher(MADE.gateway.content, issuer="link.example.com")


def test_voucher_says_who_for_whom_and_how_long() -> None:
    """A JWT with a type of its own, for one content server, for a minute."""
    token = voucher().vouch(CALLER, audience=URL, now=NOW)
    decoded = jwt.decode(token, KeySet.import_key_set(keys.content_jwks(MADE.public)), algorithms=["Ed25519"])

    assert {"alg": "Ed25519", "typ": "content+jwt", "kid": MADE.public.content[0]["kid"]} == decoded.header
    assert {
        "iss": "link.example.com",
        "aud": URL,
        "sub": "abcdefghijkl",
        "service": "default",
        "provider": "local",
        "provider_sub": "ann",
        "household": "Sonos_abc_7d55e99",
        "gid": "grantgrantgr",
        "tier": "paidPremium",
        "iat": NOW,
        "exp": NOW + 60,
    } == decoded.claims


@pytest.mark.parametrize(
    "signed_with", [MADE.public.signing, MADE.public.content], ids=["signing", "content"]
)
def test_voucher_is_no_token(signed_with: tuple[keys.Jwk, ...]) -> None:
    """A gateway takes it for nothing, not even if it trusted the key by mistake."""
    token = voucher().vouch(replace(CALLER, service="default"), audience="default", now=NOW)

    with pytest.raises(TokenRefused):
        TokenVerifier(signed_with, issuer="link.example.com").verify(token, service="default")


@pytest.mark.parametrize(
    ("later", "same"), [(0, True), (40, True), (41, False), (60, False), (-1, False), (-3600, False)]
)
def test_voucher_is_used_again_while_it_lasts(later: int, same: bool) -> None:
    """Until twenty seconds before it expires; a clock that went back makes a new one, too."""
    vouching = voucher()
    first = vouching.vouch(CALLER, audience=URL, now=NOW)

    assert same == (first == vouching.vouch(CALLER, audience=URL, now=NOW + later))


@pytest.mark.parametrize(
    "changed", [{"tier": None}, {"account_id": "other"}, {"household_id": "x"}, {"service": "b"}]
)
def test_voucher_is_of_one_caller_as_they_are_now(changed: dict[str, str | None]) -> None:
    """Whoever changes tier, or is somebody else, gets another at once; so does another content server."""
    vouching = voucher()
    tokens = {
        vouching.vouch(CALLER, audience=URL, now=NOW),
        vouching.vouch(replace(CALLER, **changed), audience=URL, now=NOW),  # type: ignore[arg-type]
        vouching.vouch(CALLER, audience=f"{URL}/b", now=NOW),
    }

    assert 3 == len(tokens)


def test_vouchers_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest make room."""
    monkeypatch.setattr(identity, "REMEMBERED", 2)
    vouching = voucher()
    for number in range(5):
        vouching.vouch(replace(CALLER, grant_id=f"g{number}"), audience=URL, now=NOW)

    assert ["g3", "g4"] == [caller.grant_id for caller, _ in vouching._made]


@given(st.text())
def test_header_is_one_safe_line(text: str) -> None:
    """Whatever a household or a subject consists of, its header is visible ASCII, and nothing is lost."""
    from urllib.parse import unquote

    usable = text.encode(errors="ignore").decode()
    headers = headers_of(replace(CALLER, household_id=usable, subject=usable))

    assert all(value.isascii() and value.isprintable() and " " not in value for value in headers.values())
    assert [usable, usable] == [
        unquote(headers.get(name, "")) for name in ("Latchkey-Household", "Latchkey-Subject")
    ]


def test_missing_key_says_how_to_make_it() -> None:
    """Neither no key nor one that nobody could verify gets a gateway started."""
    other = keys.create(RANDOM)
    check_keys(MADE.gateway.content, MADE.public, Path("/keys"))

    for own in ((), other.gateway.content):
        with pytest.raises(KeysError, match="latchkey keys complete /keys"):
            check_keys(own, MADE.public, Path("/keys"))
