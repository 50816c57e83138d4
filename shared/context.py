"""What every handler and operation is given: bus, store, keys, settings, clock, randomness."""

import itertools
import os
import time
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from shared.bus.base import Bus
from shared.health import Health
from shared.keys import PublicKeys
from shared.metrics import Metrics
from shared.settings import Settings
from shared.traces import NoTraces, Traces

StoreT = TypeVar("StoreT")
KeysT = TypeVar("KeysT")


class Clock(Protocol):
    """Where this process takes its time from."""

    def now(self) -> int:
        """Return seconds since the epoch by this machine's clock: a filter only; the database's clock decides."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow, for durations."""
        ...


class Random(Protocol):
    """Where this process takes unguessable values from."""

    def token_bytes(self, count: int) -> bytes:
        """Return *count* unguessable bytes."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return seconds since the epoch."""
        return int(time.time())

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()


class SystemRandom:
    """The operating system's random numbers."""

    def token_bytes(self, count: int) -> bytes:
        """Return *count* unguessable bytes."""
        return os.urandom(count)


@dataclass(frozen=True, kw_only=True)
class Context(Generic[StoreT, KeysT]):
    """One service's collaborators; `StoreT` and `KeysT` say what this service may do."""

    settings: Settings
    bus: Bus
    store: StoreT
    keys: KeysT
    public_keys: PublicKeys
    clock: Clock
    random: Random
    health: Health = field(default_factory=Health)
    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces = field(default_factory=NoTraces)

    def new_id(self) -> str:
        """Return 12 random characters of ``[a-z2-7]``, first a letter."""
        return random_id(self.random)

    def fraction(self) -> float:
        """Return a random number from 0 to below 1."""
        return int.from_bytes(self.random.token_bytes(4)) / 2**32


class Numbering:
    """Names that are told apart by a number, and from those of other processes by a random beginning: for logs, never a secret."""

    def __init__(self, random: Random) -> None:
        self._beginning = random_id(random)[:7]
        self._next = itertools.count().__next__

    def name(self) -> str:
        """Return at least 12 characters of ``[a-z0-9]``, first a letter."""
        return f"{self._beginning}{self._next():05x}"


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for second in _ALPHABET for first in _ALPHABET]


def random_id(random: Random) -> str:
    """Return 12 random characters of ``[a-z2-7]``, first a letter: 59 bits.

    Not secrets, so short: account and grant ids travel in every authToken. Number-like values would be parsed as numbers.
    """
    value = int.from_bytes(random.token_bytes(8))
    pairs = [_PAIRS[value >> shift & 1023] for shift in (4, 14, 24, 34, 44)]
    return "".join([_ALPHABET[value & 15], *pairs, _ALPHABET[value >> 54 & 31]])
