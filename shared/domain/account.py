"""Accounts: the people of the music service, as far as linking needs to know them."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from shared.domain import errors

VOUCHED = "api"
"""The provider of accounts for which the service's own back end vouches through the API."""


class AccountStatus(StrEnum):
    """Whether an account may be linked and used."""

    ACTIVE = "active"
    DISABLED = "disabled"


class AccountTier(StrEnum):
    """What a listener pays for, in Sonos's words (Sonos WSDL 1.19.6, userAccountTier)."""

    PAID_PREMIUM = "paidPremium"
    PAID_LIMITED = "paidLimited"
    FREE = "free"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One row of `accounts`: somebody whom an identity provider vouches for."""

    account_id: str
    """12 random characters of ``[a-z2-7]``; says nothing about the person."""
    service: str
    provider: str
    subject: str
    """The provider's own name for the person; unique within service and provider."""
    nickname: str
    tier: AccountTier | None = None
    status: AccountStatus = AccountStatus.ACTIVE


def check_enabled(account: Account) -> None:
    """Refuse whatever is done in the name of an account that was disabled.

    Raises:
        ReauthorizationNeeded: disabled; linking again is refused, too, until it is enabled.
    """
    if account.status is AccountStatus.DISABLED:
        raise errors.ReauthorizationNeeded


def check_usable(account: Account, *, tiers: Collection[AccountTier]) -> Account:
    """Return an account that may be used.

    Args:
        tiers: those that may use Sonos, or none if all may; an account whose tier nobody told is taken for `none`.

    Raises:
        AccountDisabled: it was disabled.
        AccountUnsupported: it is of another tier.
    """
    if account.status is AccountStatus.DISABLED:
        raise errors.AccountDisabled
    if tiers and (account.tier or AccountTier.NONE) not in tiers:
        raise errors.AccountUnsupported
    return account


def user_id_hash_code(account_id: str) -> str:
    """Return Sonos's `userIdHashCode`: 32 lower-case hex digits, stable for the life of the account.

    Some players take 16 bytes and no other length. The account id is random, so nothing about the person can be read back.
    """
    return hashlib.sha256(f"userIdHashCode\0{account_id}".encode()).hexdigest()[:32]
