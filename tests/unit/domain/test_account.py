"""Accounts: who may be acted for."""

import pytest

from shared.domain import errors
from shared.domain.account import Account, AccountStatus, check_enabled


def account(status: AccountStatus) -> Account:
    """Return an account."""
    return Account(
        account_id="a",
        service="default",
        provider="local",
        subject="s",
        nickname="Ann",
        tier=None,
        status=status,
    )


def test_nothing_is_done_for_a_disabled_account() -> None:
    """Everything else may be."""
    check_enabled(account(AccountStatus.ACTIVE))
    with pytest.raises(errors.ReauthorizationNeeded):
        check_enabled(account(AccountStatus.DISABLED))


def test_who_tried_too_often_is_told_how_long_to_wait() -> None:
    """In seconds, and in the words of every refusal."""
    refusal = errors.TooManyTries(30)
    assert (30, True) == (refusal.wait, bool(str(refusal)))
