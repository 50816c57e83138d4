"""Signing and verifying by libsodium and by joserfc: the same tokens, and the same verdict on whatever is presented."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from shared import keys
from shared.context import SystemRandom
from shared.signatures import ALGORITHM, Forged, Signatures, Unfamiliar, signed

KEYS, OTHERS = (keys.create(SystemRandom().token_bytes) for _ in range(2))
KEY = KEYS.token_worker.signing[0]
PUBLIC = KeySet([OKPKey.import_key(dict(jwk)) for jwk in KEYS.public.signing])
SIGNATURES = Signatures(KEYS.public.signing)


def _by_joserfc(payload: bytes, key: keys.SigningKey, **header: str) -> str:
    named = {"alg": ALGORITHM, "kid": key.jwk["kid"], **header}
    private = OKPKey.import_key(dict(key.jwk))
    registry = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)
    return jws.serialize_compact(named, payload, private, registry=registry)


TOKENS = [
    signed(b'{"a":1}', KEY),
    signed(b"", KEY),
    signed(bytes(range(256)), KEY),
    signed(b'{"a":1}', OTHERS.token_worker.signing[0]),
    _by_joserfc(b'{"a":1}', KEY, typ="JWT"),
    _by_joserfc(
        b'{"a":1}', keys.SigningKey(jwk=OTHERS.token_worker.signing[0].jwk | {"kid": KEY.jwk["kid"]})
    ),
    "",
    "a.b.c",
    "\ud800.b.c",
]


def _verdict_of_joserfc(token: str) -> bytes | None:
    try:
        return jws.deserialize_compact(token, PUBLIC, algorithms=[ALGORITHM]).payload
    except (JoseError, ValueError):
        return None


def _verdict(token: str) -> bytes | None:
    try:
        return SIGNATURES.payload(token)
    except Forged:
        return None
    except Unfamiliar:
        return _verdict_of_joserfc(token)


@given(payload=st.binary(min_size=1, max_size=600))
def test_same_token(payload: bytes) -> None:
    """To the character, and what comes out is what went in."""
    token = signed(payload, KEY)

    assert _by_joserfc(payload, KEY) == token
    assert payload == SIGNATURES.payload(token) == _verdict_of_joserfc(token)


@given(
    token=st.sampled_from(TOKENS),
    at=st.integers(0, 400),
    letters=st.sampled_from(["", "A", "x.", ".", "=", "\n", " ", "-", "é"]),
    inserted=st.booleans(),
)
def test_same_verdict(token: str, at: int, letters: str, inserted: bool) -> None:
    """On tokens genuine, foreign, and changed in any place."""
    at %= len(token) + 1
    altered = token[:at] + letters + token[at if inserted else at + len(letters) :]

    assert _verdict_of_joserfc(altered) == _verdict(altered)


def test_only_our_own_shape_goes_the_short_way() -> None:
    """A header with anything else in it is not read here at all."""
    header = base64.urlsafe_b64decode(TOKENS[0].partition(".")[0] + "==")
    unfamiliar = []
    for number, token in enumerate(TOKENS):
        try:
            SIGNATURES.payload(token)
        except Unfamiliar:
            unfamiliar.append(number)
        except Forged:
            assert 5 == number

    assert {"alg": ALGORITHM, "kid": KEY.jwk["kid"]} == json.loads(header)
    assert [1, 3, 4, 6, 7, 8] == unfamiliar
