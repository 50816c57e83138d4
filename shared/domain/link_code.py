"""Link codes: a code that carries its own expiry and proof of origin, so that a forged one costs no I/O.

A code is 32 characters of ``[a-z0-9]``, first a letter (Sonos clients parse number-like codes as numbers, and S2 caps
codes at 32 characters). The 31 characters after the letter are 160 bits in base 36:

    8 bits    the expiry minute, modulo 256
    120 bits  random
    32 bits   HMAC-SHA256(key, service, full expiry minute, random), truncated

The MAC covers the *full* expiry minute, of which the code shows the low 8 bits: the verifier completes them with the one
minute of the next 255 that fits. An expired code therefore fails its MAC, and needs no table to be refused. The MAC only
filters: what cannot be guessed are the 120 random bits.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.domain import typed_code
from shared.domain.mac import mac_under

RANDOM_BYTES = 15
LONGEST_LIFETIME = 240 * 60
"""Seconds. The 8 bits of the expiry minute tell 256 minutes apart; rounding, grace and clocks that disagree take a few."""

_PREFIX = "k"
_SHAPE = re.compile(r"[a-z][a-z0-9]{31}")
_MAC_BYTES = 4
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_VALUE_BYTES = 1 + RANDOM_BYTES + _MAC_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCode:
    """A code that was issued here and whose time is not over."""

    link_id: str
    """The keyed hash under which the link is stored; the code itself is never stored."""
    expires_at: int
    """Seconds since the epoch, a whole minute."""
    link_device_id: str
    """The hidden second half: Sonos gets it beside the code and has to send it back."""
    code: str = field(repr=False)
    service: str
    key: bytes = field(repr=False)
    """The MAC key that it was made with."""

    @property
    def typed_code(self) -> str:
        """Return the longest short name that a person can type in place of the code; see `typed_code`."""
        return typed_code.derive(self.key, service=self.service, code=self.code)


def issue(*, key: bytes, service: str, lifetime: int, now: int, random: bytes) -> tuple[str, VerifiedCode]:
    """Make a new code and what is known of it.

    Args:
        key: MAC key of the gateways, at least 32 bytes.
        service: name of the Sonos service the code belongs to.
        lifetime: seconds, at most `LONGEST_LIFETIME`; the expiry is rounded up to a whole minute.
        now: seconds since the epoch.
        random: `RANDOM_BYTES` unguessable bytes.
    """
    if not 0 < lifetime <= LONGEST_LIFETIME:
        raise ValueError(f"a link code lives at most {LONGEST_LIFETIME} s, not {lifetime}")
    minute = -(-(now + lifetime) // 60)
    value = bytes((minute & 0xFF,)) + random + _mac(key, service, minute, random)
    code = _PREFIX + _to_base36(int.from_bytes(value))
    return code, _verified(key, service, code, minute)


def has_shape(code: str) -> bool:
    """Tell whether *code* looks like a link code; a typed one never does."""
    return _SHAPE.fullmatch(code) is not None


def verify(
    code: str, *, keys: Sequence[bytes], service: str, now: int, grace: int = 60
) -> VerifiedCode | None:
    """Return what a genuine, unexpired code stands for, or None; never does I/O.

    Args:
        code: as it came from outside, any string.
        keys: MAC keys, the one in use first, then those being retired.
        service: name of the Sonos service that was asked.
        now: seconds since the epoch, by the gateway's clock.
        grace: seconds of disagreement between clocks that are forgiven.
    """
    value = _parse(code)
    if value is None:
        return None
    random, mac = value[1:-_MAC_BYTES], value[-_MAC_BYTES:]
    minute = _complete(value[0], (now - grace) // 60)
    genuine: bytes | None = None
    for key in keys:
        if hmac.compare_digest(mac, _mac(key, service, minute, random)):
            genuine = key
    # The same work for every code, so that the time does not tell which are genuine (docs/decisions/0028).
    verified = _verified(genuine or keys[0], service, code, minute)
    return verified if genuine else None


def link_id_of(code: str, *, key: bytes, service: str) -> str:
    """Return the id under which the link of *code* is stored, if it was made with this key: for links that are long over."""
    return _verified(key, service, code, 0).link_id


def _verified(key: bytes, service: str, code: str, minute: int) -> VerifiedCode:
    # Two halves of one MAC tell as little of each other as two MACs would, at half the price.
    halves = mac_under(key)(f"link\0{service}\0{code}".encode()).hex()
    return VerifiedCode(
        link_id=halves[:32],
        expires_at=minute * 60,
        link_device_id="d" + halves[33:],
        code=code,
        service=service,
        key=key,
    )


def _parse(code: str) -> bytes | None:
    if not _SHAPE.fullmatch(code) or code[0] != _PREFIX:
        return None
    number = int(code[1:], 36)
    if number.bit_length() > _VALUE_BYTES * 8:
        return None
    return number.to_bytes(_VALUE_BYTES)


def _complete(low_byte: int, earliest_minute: int) -> int:
    """Return the only minute of the 256 from *earliest_minute* on whose low byte is *low_byte*."""
    return earliest_minute + ((low_byte - earliest_minute) & 0xFF)


def _mac(key: bytes, service: str, minute: int, random: bytes) -> bytes:
    message = b"link code\0" + service.encode() + b"\0" + minute.to_bytes(8) + random
    return mac_under(key)(message)[:_MAC_BYTES]


def _to_base36(number: int) -> str:
    """Return 31 digits, two at a time."""
    pairs = []
    for _ in range(15):
        number, pair = divmod(number, 1296)
        pairs.append(_PAIRS[pair])
    return "".join((_DIGITS[number], *reversed(pairs)))
