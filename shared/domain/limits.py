"""How often a password may be guessed: budgets of wrong passwords, kept where all replicas see them.

A wrong password is counted three times: for the account that was named, for the network it came from, and for the two together.
Who has used up a budget waits, each time twice as long, up to a bound. Nobody is ever locked out for good, and an attacker
cannot make the owner wait: a browser or a household in which the account was signed in to before has a budget of its own, which nobody
else fills, and knows no other; a network in which it was is spared what is tried elsewhere.

All keys are keyed hashes, made by the gateways: no name, address or password is stored, and names that nobody has
are counted like all others. The same wrong password again is not another guess; a household whose password was changed repeats it for days.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

PENDING_SECONDS = 60
"""A try that is being looked at counts for so long, in case nobody ever says how it ended."""
REPEAT_SECONDS = 60
"""For so long a password that was wrong is wrong without asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Under which keys a try is counted; each a keyed hash, None where it is not known."""

    account: str
    """Service, provider and normalised name, whether anybody has that name or not."""
    network: str | None = None
    """The address prefix."""
    at_network: str | None = None
    """Account and network together."""
    at_place: str | None = None
    """The account together with a browser, or with a household that signs in by itself."""
    tag: str = ""
    """A few bits of account and password together: enough to see that it is the same wrong one, too few to find out which."""

    def __repr__(self) -> str:
        return "Counted(***)"


class TryState(StrEnum):
    """What is known about a try that may count."""

    PENDING = "pending"
    REFUSED = "refused"
    REPEATED = "repeated"
    """Refused, and with a password that was counted before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One offer of a password."""

    at: int
    """Seconds since the epoch by the database's clock."""
    tag: str = ""
    state: TryState = TryState.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """What is remembered under the keys of one `Counted`."""

    account: tuple[Try, ...] = ()
    network: tuple[Try, ...] = ()
    at_network: tuple[Try, ...] = ()
    at_place: tuple[Try, ...] = ()
    network_known_since: int | None = None
    """When this account was last signed in to from this network; None if never, or long ago."""
    place_known_since: int | None = None
    """The same for the browser, or the household."""
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many wrong passwords are free, and for how many seconds each counts."""

    free: int
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the rules need to know; times in seconds."""

    place: Budget
    """Of one account at one network, browser or household."""
    account: Budget
    """Of one account from everywhere where it was never signed in to."""
    network: Budget
    """Of one network, whatever the account."""
    first_delay: int
    longest_delay: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done with a try."""

    wait: int = 0
    """Seconds after which one more may be tried; 0: now."""
    is_repeat: bool = False
    """The same wrong password as before: if it is wrong still, that does not count again."""
    is_known_wrong: bool = False
    """It was found wrong a moment ago, or is not to be looked at: refused without asking."""


def judge(tries: Tries, *, tag: str, limits: Limits) -> Decision:
    """Decide on a try, given the others.

    Args:
        tries: without the try itself.
        tag: of the try itself.
        limits: the budgets.
    """
    waits = (
        seconds_to_wait(_counting(counted, tag, tries.now), budget, limits, now=tries.now)
        for counted, budget in _budgets(tries, limits)
    )
    wait = max(waits)
    same = [each.at for each in tries.account if each.tag == tag and each.state is not TryState.PENDING]
    if not same:
        return Decision(wait=wait)
    # Tags are short: if repeats were looked at while others wait, an attacker would try until one looks like a repeat.
    return Decision(is_repeat=True, is_known_wrong=wait > 0 or max(same) + REPEAT_SECONDS > tries.now)


def seconds_to_wait(wrong: Iterable[int], budget: Budget, limits: Limits, *, now: int) -> int:
    """Return for how long nothing may be tried, after wrong passwords at the times *wrong*; 0 when something may."""
    counted = [at for at in wrong if at + budget.memory > now]
    surplus = len(counted) - budget.free
    if surplus < 0:
        return 0
    # No larger exponent: it could not make the delay any longer, only the number.
    delay = min(limits.first_delay << min(surplus, 32), limits.longest_delay)
    return max(0, max(counted, default=now - delay) + delay - now)


def normal_name(name: str) -> str:
    """Return the form in which names are compared: spellings that a keyboard, or a provider, takes for the same are one account."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _budgets(tries: Tries, limits: Limits) -> tuple[tuple[Iterable[Try], Budget], ...]:
    """Return the budgets that concern a try: where the place is known, not those that strangers can fill.

    The budget of a network holds even for who signed in there before. Otherwise a neighbour could use it up and then see, name by
    name, who need not wait: who has an account. Browsers and households are nobody else's to try from.
    """
    if tries.place_known_since is not None:
        return ((_after(tries.at_place, tries.place_known_since), limits.place),)
    if tries.network_known_since is not None:
        return (
            (_after(tries.at_network, tries.network_known_since), limits.place),
            (tries.network, limits.network),
        )
    return (
        (tries.at_network, limits.place),
        (tries.account, limits.account),
        (tries.network, limits.network),
    )


def _after(tries: Iterable[Try], since: int) -> Iterable[Try]:
    """Leave out what was wrong before the right password came: who knows that one has nothing to guess."""
    return (each for each in tries if each.at > since)


def _counting(tries: Iterable[Try], tag: str, now: int) -> list[int]:
    """Return when the wrong passwords were tried; what is looked at just now is taken for wrong, unless it is the same one.

    A household's players may all sign in in the same moment, with the same password.
    """
    return [
        each.at
        for each in tries
        if each.state is TryState.REFUSED
        or (each.state is TryState.PENDING and each.tag != tag and each.at + PENDING_SECONDS > now)
    ]
