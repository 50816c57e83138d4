"""The part of the store's port that is about how accounts live on: when they are looked up again, and who said that one ended."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shared.domain.link import Link


class Doubt(StrEnum):
    """What is known of the tokens that a provider is asked with, and that it may use up."""

    NONE = "none"
    """They came from the provider, and nobody has used them."""
    FADING = "fading"
    """So they did, but an earlier question without an end may have reached the provider since, and spoilt them."""
    OPEN = "open"
    """They were shown to the provider, and nobody knows what it made of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCheck:
    """One row of `account_checks`: where the question whether a person is still there stands. Times are the database's."""

    account_id: str
    service: str
    claim: str | None = None
    """Names whoever is asking the provider now, or has died over it."""
    next_at: int
    """Nobody asks earlier: the claim's lease is not over, or the answer is still good, or the provider is left in peace."""
    doubt: Doubt = Doubt.NONE
    """Whether the provider's "no" would be a word about the person, or perhaps only about the tokens that are kept."""
    gone_at: int | None = None
    """When the provider was asked and said that the person is gone."""
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEnd:
    """One row of `told_ends`: a message that an account has ended, so that it counts once."""

    event_id: str
    """Hash of what makes the message differ from every other."""
    service: str
    request_id: str
    """The request that brought it first: a redelivery of that one is no repetition."""
    at: int
    """When it was taken, by the database's clock."""
    expires_at: int


class LifecycleTransaction(Protocol):
    """What auth_worker may do, inside one transaction."""

    async def account_check(self, account_id: str) -> AccountCheck | None:
        """Return where an account's check stands."""
        ...

    async def insert_account_check(self, check: AccountCheck) -> bool:
        """Insert the first check of an account; False if there is one already."""
        ...

    async def swap_account_check(self, old: AccountCheck, new: AccountCheck) -> None:
        """Replace *old* by *new*; nothing to do when they are the same.

        Raises:
            Conflict: the row no longer has the version of *old*.
        """
        ...

    async def delete_account_check(self, account_id: str) -> None:
        """Forget the check of an account: the person has just proved to be there, or has ended."""
        ...

    async def insert_told_end(self, told: ToldEnd) -> bool:
        """Record a message that an account has ended; False if it came before."""
        ...

    async def told_end(self, event_id: str) -> ToldEnd | None:
        """Return such a message."""
        ...

    async def signed_in_links(self, account_id: str) -> tuple[Link, ...]:
        """Return the links that an account has signed in to, and that are neither done nor over."""
        ...

    async def delete_sessions(self, account_id: str) -> None:
        """Delete all sessions of an account."""
        ...
