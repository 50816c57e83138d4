"""Sealed boxes: a secret that only one service can read, bound to the row it belongs to.

libsodium's anonymous public-key box (X25519, XSalsa20-Poly1305) through PyNaCl. The box has no associated data, so the
row's identity is sealed in front of the secret and compared on opening: a box moved to another row does not open.

Where many are sealed at a time, `Sealer` makes one key pair for all of them, and each box has a random nonce in place of a key pair of its own
(docs/decisions/0021-what-a-refresh-costs.md):

    seal     a public key, 32 bytes | the box                                48 µs, and 33 to open
    Sealer   MANY | a public key, 32 bytes | a nonce, 24 bytes | the box     48 µs for the first, 2 for each more; 33 and 3 to open
"""

import hmac
from collections.abc import Sequence
from functools import lru_cache

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey, SealedBox

MANY = b"many boxes, one "
"""In front of what a `Sealer` sealed; a public key begins like that once in 2^128."""
_KEY = slice(len(MANY), len(MANY) + PublicKey.SIZE)
_KNOWN_SENDERS = 256
"""Whose boxes are opened quickly; a worker is a new one with each batch."""


class SealError(Exception):
    """The box is not for these keys, was changed, or belongs to another row."""


def seal(secret: bytes, *, recipient: bytes, bound_to: str) -> bytes:
    """Return *secret* readable by the owner of the 32-byte public key *recipient* alone."""
    return SealedBox(PublicKey(recipient)).encrypt(_bound(secret, bound_to))


class Sealer:
    """Seals many secrets for one recipient, with a key pair that is forgotten with it."""

    def __init__(self, recipient: bytes) -> None:
        own = PrivateKey.generate()
        self._head = MANY + bytes(own.public_key)
        self._box = Box(own, PublicKey(recipient))

    def seal(self, secret: bytes, *, bound_to: str) -> bytes:
        """Return *secret* readable by the recipient alone; libsodium adds a random nonce."""
        return self._head + self._box.encrypt(_bound(secret, bound_to))


def unseal(box: bytes, *, private_keys: Sequence[bytes], bound_to: str) -> bytes:
    """Return the secret of a box.

    Args:
        box: what `seal`, or `Sealer.seal`, returned.
        private_keys: 32-byte keys, the one in use first, then those being retired.
        bound_to: the identity it was sealed with.

    Raises:
        SealError: it does not open, or was sealed for another row.
    """
    for private_key in private_keys:
        try:
            content = _content(box, private_key)
        except (CryptoError, ValueError):
            continue
        return _unbind(content, bound_to.encode())
    raise SealError("the box does not open with any key of this service")


def _bound(secret: bytes, bound_to: str) -> bytes:
    identity = bound_to.encode()
    return len(identity).to_bytes(2) + identity + secret


def _content(box: bytes, private_key: bytes) -> bytes:
    if box.startswith(MANY):
        return _box_from(box[_KEY], private_key).decrypt(box[_KEY.stop :])
    return SealedBox(_imported(private_key)).decrypt(box)


@lru_cache(maxsize=16)
def _imported(private_key: bytes) -> PrivateKey:
    """Return a key with its public half, whose computing takes as long as opening a box."""
    return PrivateKey(private_key)


@lru_cache(maxsize=_KNOWN_SENDERS)
def _box_from(sender: bytes, private_key: bytes) -> Box:
    """Return what opens the boxes of one sender; agreeing on a key with it is all that takes time."""
    return Box(_imported(private_key), PublicKey(sender))


def _unbind(content: bytes, expected: bytes) -> bytes:
    length = int.from_bytes(content[:2])
    identity, secret = content[2 : 2 + length], content[2 + length :]
    if not hmac.compare_digest(identity, expected):
        raise SealError("the box belongs to another row")
    return secret
