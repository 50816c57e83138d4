"""Requests that are signed with a shared secret: headers, and what the signature covers."""

import hashlib
import hmac
from collections.abc import Sequence

TIMESTAMP, NONCE, SIGNATURE = "Latchkey-Timestamp", "Latchkey-Nonce", "Latchkey-Signature"
"""Headers: seconds since the epoch; what makes this request differ from every other; the signature."""


def signature(secret: bytes, *, timestamp: str, nonce: str, body: bytes) -> str:
    """Return `v1=` and the HMAC-SHA256, in hex, of version, timestamp, nonce and body, each but the last with a dot behind it."""
    signed = f"v1.{timestamp}.{nonce}.".encode() + body
    return "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()


def is_signed(given: str, secrets: Sequence[bytes], *, timestamp: str, nonce: str, body: bytes) -> bool:
    """Tell, in constant time, whether a request was signed with one of *secrets*."""
    signed = False
    for secret in secrets:
        expected = signature(secret, timestamp=timestamp, nonce=nonce, body=body)
        signed |= hmac.compare_digest(expected.encode(), given.encode(errors="replace"))
    return signed
