"""Signed requests: every part counts, and nothing but the secret makes a signature."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.signed_request import is_signed, signature

SECRET = b"a secret of 32 characters, or so"
PART = st.text("0123456789abcdef", max_size=20)


def test_signature_is_the_documented_one() -> None:
    """HMAC-SHA256 over version, timestamp, nonce and body; reckoned by openssl, as docs/account-lifecycle.md shows it."""
    assert "v1=8be4f10346c365f709b89b39b80af559bb069c09036b5331f89ff0c6fd6feb69" == signature(
        SECRET, timestamp="1800000000", nonce="0123456789abcdef", body=b'{"subject":"ann"}'
    )


@given(PART, PART, st.binary(max_size=40), PART, PART, st.binary(max_size=40))
def test_what_was_signed_is_what_was_meant(
    timestamp: str, nonce: str, body: bytes, other_timestamp: str, other_nonce: str, other_body: bytes
) -> None:
    """A signature holds for its own parts under its own secret, and for nothing else."""
    signed = signature(SECRET, timestamp=timestamp, nonce=nonce, body=body)
    same = (timestamp, nonce, body) == (other_timestamp, other_nonce, other_body)

    assert is_signed(signed, [b"x" * 32, SECRET], timestamp=timestamp, nonce=nonce, body=body)
    assert not is_signed(signed, [b"x" * 32], timestamp=timestamp, nonce=nonce, body=body)
    assert not is_signed(signed, [], timestamp=timestamp, nonce=nonce, body=body)
    assert same == is_signed(signed, [SECRET], timestamp=other_timestamp, nonce=other_nonce, body=other_body)


@given(st.text(max_size=80))
def test_nonsense_is_no_signature(given_signature: str) -> None:
    """Whatever characters come in a header."""
    assert not is_signed(given_signature, [SECRET], timestamp="1", nonce="2", body=b"")


def test_any_of_the_secrets_is_right() -> None:
    """While one is replaced by the next, whichever comes first."""
    signed = signature(SECRET, timestamp="1", nonce="2", body=b"")

    assert is_signed(signed, [SECRET, b"x" * 32], timestamp="1", nonce="2", body=b"")
    assert not is_signed("v1=\ud800", [SECRET], timestamp="1", nonce="2", body=b"")
