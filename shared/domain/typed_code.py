"""Typed codes: the short name of a link that a person reads off one device and types on another.

A typed code is derived from the link code under the gateways' key, so that a poll can compare the two without a table. It
opens the sign-in page of its link and nothing else: the pair goes to whoever holds the hidden half.

The alphabet is that of RFC 8628, 6.1: consonants alone, so that no word appears and nothing is taken for something else.
"""

import hmac
import re
import unicodedata
from collections.abc import Sequence

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LENGTHS = (8, 9, 10, 12)
"""Letters; with more live codes a code is longer. Eleven does not divide into groups that can be read out."""
GUESSES_PER_BROWSER = 5
"""Wrong codes that a browser may type within `GUESS_WINDOW`."""
GUESSES_PER_NETWORK = 20
"""The same for all browsers of one address prefix: several people may sit behind it."""
GUESS_WINDOW = 600
"""Seconds for which a wrong code counts."""
MOST_LIKELY = 2.0**-27
"""Chance of one browser to hit any live code within the window that is never exceeded (RFC 8628, 5.1, for many codes)."""
MOST_COUNTED = int(MOST_LIKELY * len(ALPHABET) ** LENGTHS[-2] / GUESSES_PER_BROWSER) + 1
"""Live codes that are worth counting: with so many, the longest code is due."""
LONGEST_INPUT = 64

_SHAPE = re.compile(f"[{ALPHABET}]{{{LENGTHS[0]},{LENGTHS[-1]}}}")


def length_for(live: int) -> int:
    """Return how many letters a new code gets when *live* others can be typed.

    A guess has one length and can only hit codes of that length. Of the short ones there are never more than were issued
    while few were live, so the bound holds for any mixture.
    """
    for length in LENGTHS:
        if GUESSES_PER_BROWSER * (live + 1) / len(ALPHABET) ** length <= MOST_LIKELY:
            return length
    return LENGTHS[-1]


def derive(key: bytes, *, service: str, code: str) -> str:
    """Return the longest typed code of a link code; each shorter one is its beginning.

    Args:
        key: the MAC key under which the link code was made.
        service: name of the Sonos service.
        code: the link code.
    """
    digest = hmac.digest(key, f"typed code\0{service}\0{code}".encode(), "sha256")
    number, letters = int.from_bytes(digest), ""
    for _ in range(LENGTHS[-1]):
        number, letter = divmod(number, len(ALPHABET))
        letters += ALPHABET[letter]
    return letters


def is_of(typed: str, longest: str) -> bool:
    """Tell in constant time whether a normalised typed code belongs to the link code whose longest form is *longest*."""
    return len(typed) in LENGTHS and hmac.compare_digest(typed, longest[: len(typed)])


def normalise(text: str) -> str | None:
    """Return what was typed in the form in which codes are compared, or None if no code looks like that.

    Case, spaces and dashes do not count, and neither does the width of letters from a Japanese keyboard.
    """
    plain = unicodedata.normalize("NFKC", text[:LONGEST_INPUT]).upper()
    letters = "".join(letter for letter in plain if unicodedata.category(letter) not in {"Zs", "Pd"})
    return letters if len(letters) in LENGTHS and _SHAPE.fullmatch(letters) else None


def typed_id(key: bytes, *, service: str, typed: str) -> str:
    """Return the keyed hash under which a typed code is stored: without the key, a dump cannot be searched for codes."""
    return hmac.digest(key, f"typed code id\0{service}\0{typed}".encode(), "sha256").hex()[:32]


def seconds_to_wait(*, browser: Sequence[int], network: Sequence[int], now: int) -> int:
    """Return for how long no further code may be typed; 0 when one may.

    Args:
        browser: when this browser typed the wrong codes that still count, in any order; seconds since the epoch.
        network: the same for its address prefix.
        now: the database's time.
    """
    waits = [_wait(browser, GUESSES_PER_BROWSER, now), _wait(network, GUESSES_PER_NETWORK, now)]
    return max(waits)


def _wait(guesses: Sequence[int], budget: int, now: int) -> int:
    counted = sorted(at for at in guesses if at + GUESS_WINDOW > now)
    # One more may be typed as soon as so many are forgotten that fewer than the budget are left.
    return counted[-budget] + GUESS_WINDOW - now if len(counted) >= budget else 0
