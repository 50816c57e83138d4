"""A grant: the lasting right of one household to use one account, and the tokens that follow from it.

The row holds numbers, not tokens: family, generation, issue and expiry. From these token_worker makes the identical pair
again at any time, so whoever presents generation *n* gets the same successor, however many, however often, also when the
answer was lost.

What happens to a presented token, in this order:

    revoked, or of an earlier family                         reauthorize
    idle or absolute lifetime over                           reauthorize
    the current generation                                   rotate: generation + 1
    ahead of the row (the database was restored)             rotate past it: nobody is unlinked by our backup
    an earlier generation, long expired, successor in use    theft: the family ends (or is refused, by policy)
    an earlier generation otherwise                          the current pair; rotated first if that has expired
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from shared.domain import errors


class GrantStatus(StrEnum):
    """Whether a grant's tokens may be used and refreshed."""

    ACTIVE = "active"
    REVOKED = "revoked"


class TokenKind(StrEnum):
    """What becomes of a token whose time is over: Sonos's three kinds (docs.sonos.com, "Use authentication tokens").

    With the latter two there is nothing to refresh with: `privateKey` is the sentinel, nobody asks token_worker, and the
    database's clock alone decides whether a token is over, since what follows from it is a person who has to act.

        kind             lives for            stale in a call           refreshAuthToken
        refreshing       `lifetime`           the successor             the successor, stale or not
        reauthenticate   `lifetime`           reauthorize               the same pair while it lives, else reauthorize
        permanent        `absolute`           reauthorize               the same pair while it lives, else reauthorize

    `refreshAuthToken` gives the same pair again because Sonos asks after some REST endpoint said 401: that endpoint's
    trouble must not unlink a household whose token is good.
    """

    REFRESHING = "refreshing"
    REAUTHENTICATE = "reauthenticate"
    PERMANENT = "permanent"

    @property
    def refreshes(self) -> bool:
        """Tell whether a stale token has a successor."""
        return self is TokenKind.REFRESHING


class ReusePolicy(StrEnum):
    """What happens when an old generation comes back after its successor was in use."""

    REVOKE = "revoke"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long tokens and grants live; seconds."""

    kind: TokenKind = TokenKind.REFRESHING
    token: int = 3600
    jitter: float = 0.05
    """Share of the token's lifetime by which it is shortened at most, at random, so that households do not refresh in step."""
    overlap: int = 24 * 3600
    """How long after its expiry an earlier generation is still taken for a sleeper's, not a thief's."""
    idle: int = 180 * 86400
    absolute: int = 730 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One row of `grants`. Times are seconds since the epoch by the database's clock."""

    grant_id: str
    service: str
    account_id: str
    household_id: str
    status: GrantStatus
    family: int
    generation: int
    signing_key_id: str
    derivation_key_id: str
    issued_at: int
    expires_at: int
    seen_generation: int
    """The highest generation of this family that was seen in use; 0 before the first."""
    family_started_at: int
    used_at: int
    version: int = 1


class GrantStanding(NamedTuple):
    """How a grant stands: what a guarded call has to know of it, and no more. A tuple, since each call makes one."""

    grant_id: str
    service: str
    household_id: str
    status: GrantStatus
    family: int
    generation: int
    seen_generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MintingKeys:
    """Ids of the keys with which the next pair is made; each row remembers its own."""

    signing_key_id: str
    derivation_key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """The claims of a genuine token that came back."""

    family: int
    generation: int
    expires_at: int


def first(
    *,
    grant_id: str,
    service: str,
    account_id: str,
    household_id: str,
    keys: MintingKeys,
    lifetimes: Lifetimes,
    shortening: float,
    now: int,
) -> Grant:
    """Return the grant of a household that was never linked to this account before."""
    return Grant(
        grant_id=grant_id,
        service=service,
        account_id=account_id,
        household_id=household_id,
        status=GrantStatus.ACTIVE,
        family=1,
        generation=1,
        signing_key_id=keys.signing_key_id,
        derivation_key_id=keys.derivation_key_id,
        issued_at=now,
        expires_at=now + _lifetime(lifetimes, shortening),
        seen_generation=0,
        family_started_at=now,
        used_at=now,
    )


def link_again(
    grant: Grant, *, keys: MintingKeys, lifetimes: Lifetimes, shortening: float, now: int
) -> Grant:
    """Start a new family on a grant that exists; the old family is dead from here on."""
    started = replace(
        grant, status=GrantStatus.ACTIVE, family=grant.family + 1, generation=0, seen_generation=0
    )
    minted = _rotate(started, keys=keys, lifetimes=lifetimes, shortening=shortening, now=now)
    return replace(minted, family_started_at=now, used_at=now)


def refresh(
    grant: Grant,
    presented: Presented,
    *,
    keys: MintingKeys,
    lifetimes: Lifetimes,
    shortening: float,
    now: int,
) -> Grant:
    """Return the grant whose current pair answers the presented token; the same object if nothing changed.

    Args:
        shortening: random number from 0 to 1, the share of the jitter to apply.

    Raises:
        ReauthorizationNeeded: revoked, an earlier family, or a lifetime is over.
        ReuseDetected: the token is an old one whose successor has long been in use. The caller applies the policy.
    """
    if presented.family != grant.family:
        raise errors.ReauthorizationNeeded
    _check_alive(grant, lifetimes, now)
    if not lifetimes.kind.refreshes:
        # A gateway that was started before the kind was changed asks all the same.
        check_unexpired(presented.expires_at, now=now)
        return grant
    if presented.generation >= grant.generation:
        return _rotate(
            grant,
            keys=keys,
            lifetimes=lifetimes,
            shortening=shortening,
            now=now,
            generation=presented.generation + 1,
            seen_generation=presented.generation,
            used_at=now,
        )
    if grant.seen_generation > presented.generation and now >= presented.expires_at + lifetimes.overlap:
        raise errors.ReuseDetected
    if now >= grant.expires_at:
        return _rotate(grant, keys=keys, lifetimes=lifetimes, shortening=shortening, now=now)
    return grant


def upgrade(grant: Grant, *, keys: MintingKeys, lifetimes: Lifetimes, shortening: float, now: int) -> Grant:
    """Return the grant whose current pair answers old credentials; the same object if that pair has not expired.

    Never a new family: all players of a household show their old credentials, and the pair that the first of them got
    must not die of the second. Nor do they bring back what has ended.

    Raises:
        ReauthorizationNeeded: revoked, or a lifetime is over.
    """
    _check_alive(grant, lifetimes, now)
    if now >= grant.expires_at:
        return _rotate(grant, keys=keys, lifetimes=lifetimes, shortening=shortening, now=now)
    return grant


def seen(grant: Grant, *, family: int, generation: int, now: int) -> Grant:
    """Record that a generation is in use; the same object if that is known, or is not the present family."""
    if family != grant.family or generation <= grant.seen_generation:
        return grant
    seen_generation = min(generation, grant.generation)
    return replace(grant, seen_generation=seen_generation, used_at=now, version=grant.version + 1)


def is_first_use(old: Grant, new: Grant) -> bool:
    """Tell whether a family has come into use between two states of its grant."""
    return old.family == new.family and old.seen_generation == 0 < new.seen_generation


def revoke(grant: Grant) -> Grant:
    """End the grant; the same object if it had ended."""
    if grant.status is GrantStatus.REVOKED:
        return grant
    return replace(grant, status=GrantStatus.REVOKED, version=grant.version + 1)


def check_usable(grant: Grant | GrantStanding | None, *, family: int) -> None:
    """Refuse an unexpired token of a family whose grant has ended meanwhile.

    Raises:
        ReauthorizationNeeded: erased, revoked, or of an earlier family.
    """
    if grant is None or grant.status is GrantStatus.REVOKED or family < grant.family:
        raise errors.ReauthorizationNeeded


def check_unexpired(expires_at: int, *, now: int) -> None:
    """Refuse a token whose time is over and for which there is no successor.

    Args:
        now: the database's clock; a gateway's own may be wrong, and would unlink every household.

    Raises:
        ReauthorizationNeeded: it is over.
    """
    if now >= expires_at:
        raise errors.ReauthorizationNeeded


def _check_alive(grant: Grant, lifetimes: Lifetimes, now: int) -> None:
    if grant.status is GrantStatus.REVOKED:
        raise errors.ReauthorizationNeeded
    if now >= grant.used_at + lifetimes.idle or now >= grant.family_started_at + lifetimes.absolute:
        raise errors.ReauthorizationNeeded


def _rotate(
    grant: Grant,
    *,
    keys: MintingKeys,
    lifetimes: Lifetimes,
    shortening: float,
    now: int,
    **others: int,
) -> Grant:
    values = {
        "generation": grant.generation + 1,
        "signing_key_id": keys.signing_key_id,
        "derivation_key_id": keys.derivation_key_id,
        "issued_at": now,
        "expires_at": now + _lifetime(lifetimes, shortening),
        "version": grant.version + 1,
    }
    return replace(grant, **(values | others))  # type: ignore[arg-type]


def _lifetime(lifetimes: Lifetimes, shortening: float) -> int:
    if lifetimes.kind is TokenKind.PERMANENT:
        # Minted when the family begins and never again, so both end together.
        return lifetimes.absolute
    return max(1, int(lifetimes.token * (1 - lifetimes.jitter * shortening)))
