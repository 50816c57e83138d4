"""The three kinds of tokens: how long each lives, and what becomes of it then."""

from dataclasses import replace

import pytest

from shared.domain import errors, grant
from shared.domain.grant import Lifetimes, TokenKind
from tests.unit.domain.test_grant import KEYS, NOW, ROW, presented

DAY = 86400
LIFETIMES = {kind: Lifetimes(kind=kind) for kind in TokenKind}
WITHOUT_SUCCESSOR = [TokenKind.REAUTHENTICATE, TokenKind.PERMANENT]


@pytest.mark.parametrize(
    ("kind", "seconds"), [("refreshing", 3600), ("reauthenticate", 3600), ("permanent", 730 * DAY)]
)
def test_lifetime(kind: str, seconds: int) -> None:
    """A permanent token ends when its grant does."""
    minted = grant.link_again(ROW, keys=KEYS, lifetimes=LIFETIMES[TokenKind(kind)], shortening=0.0, now=NOW)

    assert NOW + seconds == minted.expires_at


@pytest.mark.parametrize("kind", WITHOUT_SUCCESSOR)
def test_stale_token_has_no_successor(kind: TokenKind) -> None:
    """A request of a gateway that does not know yet is answered as the gateway will be."""
    with pytest.raises(errors.ReauthorizationNeeded):
        grant.refresh(ROW, presented(), keys=KEYS, lifetimes=LIFETIMES[kind], shortening=0.0, now=NOW)


@pytest.mark.parametrize("kind", WITHOUT_SUCCESSOR)
def test_living_token_stays_as_it_is(kind: TokenKind) -> None:
    """Nothing is rotated: the row is the same object."""
    alive = replace(ROW, expires_at=NOW + 1)
    token = presented(expires_at=NOW + 1)

    assert alive is grant.refresh(alive, token, keys=KEYS, lifetimes=LIFETIMES[kind], shortening=0.0, now=NOW)


def test_token_is_over_in_the_second_of_its_expiry() -> None:
    """By the clock that is given, without grace."""
    grant.check_unexpired(NOW, now=NOW - 1)
    with pytest.raises(errors.ReauthorizationNeeded):
        grant.check_unexpired(NOW, now=NOW)
