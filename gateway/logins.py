"""Remembers for a while how names and passwords were judged, so that a password in every call is verified once an hour.

What is remembered opens nothing: a fingerprint under a key of this process alone, and the hash of a session id.
"""

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 10_000
"""Logins remembered; the longest unused are forgotten, and verified again if they come back."""
REFUSAL_SECONDS = 60
"""For so long a wrong password is refused without asking: a player repeats it with every call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """How a login was judged."""

    session_hash: str | None
    """The session it has; None when name and password did not belong together."""
    until: float
    """By the monotonic clock, in seconds."""


class Logins:
    """The logins this gateway has seen lately."""

    def __init__(self, key: bytes, *, most: int = REMEMBERED) -> None:
        self._key = key
        self._most = most
        self._known: OrderedDict[str, Remembered] = OrderedDict()

    def fingerprint(self, *parts: str) -> str:
        """Return what stands for these strings in this process: HMAC-SHA256 in hex, different after each start."""
        # Each part with its length, so that no two lists of parts look alike.
        message = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
        return hmac.digest(self._key, message, hashlib.sha256).hex()

    def recall(self, fingerprint: str, *, now: float) -> Remembered | None:
        """Return how a login was judged, if that still counts at *now* (monotonic seconds)."""
        remembered = self._known.get(fingerprint)
        if remembered is None or now >= remembered.until:
            self._known.pop(fingerprint, None)
            return None
        self._known.move_to_end(fingerprint)
        return remembered

    def remember(self, fingerprint: str, remembered: Remembered) -> None:
        """Keep a judgement until its time is over, or more pressing ones need the room."""
        self._known[fingerprint] = remembered
        self._known.move_to_end(fingerprint)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def forget(self, fingerprint: str, session_hash: str) -> None:
        """Drop a session that turned out to be over, unless somebody else has put a new one in its place."""
        remembered = self._known.get(fingerprint)
        if remembered is not None and remembered.session_hash == session_hash:
            del self._known[fingerprint]
