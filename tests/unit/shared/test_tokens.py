"""authTokens: deterministic, short, and refused for every reason there is."""

import base64
import json
from dataclasses import replace

import pytest
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from shared import keys
from shared.context import SystemRandom
from shared.domain.errors import TokenRefused
from shared.domain.token import TokenClaims
from shared.keys import SigningKey
from shared.settings import LONGEST_ISSUER
from shared.tokens import LONGEST, TokenVerifier, sign

KEYS = keys.create(SystemRandom().token_bytes)
OTHERS = keys.create(SystemRandom().token_bytes)
KEY = KEYS.token_worker.signing[0]
CLAIMS = TokenClaims(
    issuer="link.a-rather-long-host.example.com",
    service="default",
    account_id="abcdefghijkl",
    grant_id="abcdefghijkl",
    family=12,
    generation=123456,
    issued_at=1_790_000_000,
    expires_at=1_790_003_600,
)


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(KEYS.public.signing, issuer=CLAIMS.issuer)


def refuse(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(token, service="default")


def test_claims_come_back(verifier: TokenVerifier) -> None:
    """What was signed is what is read."""
    assert CLAIMS == verifier.verify(sign(CLAIMS, KEY), service="default")


def test_same_claims_make_the_same_token() -> None:
    """Nothing is stored because the identical token can be made again."""
    assert sign(CLAIMS, KEY) == sign(CLAIMS, KEY)


def test_token_is_short_enough_for_every_player() -> None:
    """Even with the longest issuer the settings allow, a token has at most 350 characters."""
    longest = replace(CLAIMS, issuer="i" * (LONGEST_ISSUER - len(CLAIMS.service)))

    assert len(sign(longest, KEY)) <= LONGEST


def test_token_signed_by_others_is_refused(verifier: TokenVerifier) -> None:
    """A signature counts only if it is by our key, whatever key id it names."""
    stolen_name = SigningKey(jwk={**OTHERS.token_worker.signing[0].jwk, "kid": KEY.jwk["kid"]})

    refuse(verifier, sign(CLAIMS, OTHERS.token_worker.signing[0]))
    refuse(verifier, sign(CLAIMS, stolen_name))


def test_token_for_another_service_is_refused(verifier: TokenVerifier) -> None:
    """A token of one service is none of another's, though the key is the same."""
    with pytest.raises(TokenRefused):
        verifier.verify(sign(CLAIMS, KEY), service="other")


def test_token_of_another_issuer_is_refused(verifier: TokenVerifier) -> None:
    """Two installations that share a key do not take each other's tokens."""
    refuse(verifier, sign(replace(CLAIMS, issuer="elsewhere.example.com"), KEY))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_token_with_another_algorithm_is_refused(verifier: TokenVerifier, algorithm: str) -> None:
    """The algorithm cannot be talked down (RFC 8725): unsigned, or with our public key taken for a shared secret."""
    header = {"alg": algorithm, "kid": KEY.jwk["kid"]}
    payload = json.dumps(CLAIMS.payload()).encode()
    if algorithm == "HS256":
        public = OctKey.import_key(base64.urlsafe_b64decode(KEY.jwk["x"] + "=="))
        token = jws.serialize_compact(header, payload, public, algorithms=["HS256"])
    else:
        parts = (json.dumps(header).encode(), payload, b"")
        token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)

    refuse(verifier, token)


@pytest.mark.parametrize("missing", list(CLAIMS.payload()))
def test_token_without_a_claim_is_refused(verifier: TokenVerifier, missing: str) -> None:
    """Each claim is needed."""
    payload = {name: value for name, value in CLAIMS.payload().items() if name != missing}
    header = {"alg": "Ed25519", "kid": KEY.jwk["kid"]}
    token = jws.serialize_compact(
        header, json.dumps(payload).encode(), OKPKey.import_key(dict(KEY.jwk)), algorithms=["Ed25519"]
    )

    refuse(verifier, token)


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "ü.b.c", "x" * 5000, "..", "e30.e30.e30", '{"a":1}'])
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    """Whatever comes in place of a token is refused, with no other exception."""
    refuse(verifier, token)


def test_changed_token_is_refused(verifier: TokenVerifier) -> None:
    """A change of one character in payload or signature breaks it."""
    token = sign(CLAIMS, KEY)
    payload_start = token.index(".") + 5

    refuse(
        verifier,
        token[:payload_start] + ("A" if token[payload_start] != "A" else "B") + token[payload_start + 1 :],
    )
    refuse(verifier, token[:-8] + "AAAAAAAA")
