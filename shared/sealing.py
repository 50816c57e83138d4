"""Sealed boxes: a secret that only one service can read, bound to the row it belongs to.

libsodium's anonymous public-key box (X25519, XSalsa20-Poly1305) through PyNaCl. The box has no associated data, so the
row's identity is sealed in front of the secret and compared on opening: a box moved to another row does not open.
"""

import hmac
from collections.abc import Sequence
from functools import lru_cache

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox


class SealError(Exception):
    """The box is not for these keys, was changed, or belongs to another row."""


def seal(secret: bytes, *, recipient: bytes, bound_to: str) -> bytes:
    """Return *secret* readable by the owner of the 32-byte public key *recipient* alone."""
    identity = bound_to.encode()
    return SealedBox(PublicKey(recipient)).encrypt(len(identity).to_bytes(2) + identity + secret)


def unseal(box: bytes, *, private_keys: Sequence[bytes], bound_to: str) -> bytes:
    """Return the secret of a box.

    Args:
        box: what `seal` returned.
        private_keys: 32-byte keys, the one in use first, then those being retired.
        bound_to: the identity it was sealed with.

    Raises:
        SealError: it does not open, or was sealed for another row.
    """
    for private_key in private_keys:
        try:
            content = _box(private_key).decrypt(box)
        except CryptoError:
            continue
        return _unbind(content, bound_to.encode())
    raise SealError("the box does not open with any key of this service")


@lru_cache(maxsize=16)
def _box(private_key: bytes) -> SealedBox[PrivateKey]:
    """Return what opens boxes with a key; making it computes the public half, which takes as long as the opening."""
    return SealedBox(PrivateKey(private_key))


def _unbind(content: bytes, expected: bytes) -> bytes:
    length = int.from_bytes(content[:2])
    identity, secret = content[2 : 2 + length], content[2 + length :]
    if not hmac.compare_digest(identity, expected):
        raise SealError("the box belongs to another row")
    return secret
