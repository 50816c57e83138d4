"""The rows of accounts that live on or end, on both databases."""

from dataclasses import replace

import pytest

from shared.domain.link import LinkState
from shared.storage.base import Conflict
from shared.storage.lifecycle import AccountCheck, Doubt
from tests.store_samples import ACCOUNT, CHECK, LINK, SESSION, TOLD_END, Stores


async def test_check_is_written_once_and_swapped(stores: Stores) -> None:
    """A second insert is refused; a swap needs the version it saw; every column comes back."""
    claimed = AccountCheck(
        account_id=CHECK.account_id,
        service="default",
        claim="claim-1",
        next_at=1_800_000_060,
        doubt=Doubt.OPEN,
        gone_at=1_800_000_000,
        version=2,
    )
    async with stores.auth.transaction() as transaction:
        await transaction.upsert_account(ACCOUNT)
        inserted = [await transaction.insert_account_check(CHECK) for _ in range(2)]
    async with stores.auth.transaction() as transaction:
        await transaction.swap_account_check(CHECK, claimed)
    with pytest.raises(Conflict):
        async with stores.auth.transaction() as transaction:
            await transaction.swap_account_check(CHECK, replace(CHECK, claim="claim-2", version=2))
    async with stores.auth.transaction() as transaction:
        found = await transaction.account_check(CHECK.account_id)
        await transaction.delete_account_check(CHECK.account_id)
        await transaction.delete_account_check(CHECK.account_id)
        gone = await transaction.account_check(CHECK.account_id)

    assert [True, False] == inserted
    assert (claimed, None) == (found, gone)


async def test_told_end_counts_once(stores: Stores) -> None:
    """The first to bring it stays."""
    async with stores.auth.transaction() as transaction:
        inserted = [
            await transaction.insert_told_end(replace(TOLD_END, request_id=request_id))
            for request_id in ("first", "second")
        ]
        found = await transaction.told_end(TOLD_END.event_id)
        unknown = await transaction.told_end("event of nobody")

    assert [True, False] == inserted
    assert (replace(TOLD_END, request_id="first"), None) == (found, unknown)


async def test_told_ends_go_when_they_have_expired(stores: Stores) -> None:
    """By the database's clock, with everything else that retention deletes."""
    async with stores.auth.transaction() as transaction:
        now = transaction.now
        for event_id, expires_at in (("over", now - 1), ("kept", now + 600)):
            await transaction.insert_told_end(replace(TOLD_END, event_id=event_id, expires_at=expires_at))
    async with stores.token.transaction() as transaction:
        deleted = await transaction.delete_expired(links_before=0, limit=10)
    async with stores.auth.transaction() as transaction:
        left = [await transaction.told_end(event_id) for event_id in ("over", "kept")]

    assert (1, [False, True]) == (deleted, [each is not None for each in left])


async def test_links_that_an_account_has_signed_in_to(stores: Stores) -> None:
    """Those that could be allowed in a moment; not what is done, or over, or somebody else's."""
    async with stores.auth.transaction() as transaction:
        live = transaction.now + 600
        for link_id, account_id, state, expires_at in (
            ("open", "account-1", LinkState.AUTHENTICATED, live),
            ("over", "account-1", LinkState.AUTHENTICATED, live - 700),
            ("done", "account-1", LinkState.LINKED, live),
            ("of another", "account-2", LinkState.AUTHENTICATED, live),
        ):
            await transaction.insert_link(
                replace(LINK, link_id=link_id, account_id=account_id, state=state, expires_at=expires_at)
            )
    async with stores.auth.transaction() as transaction:
        found = await transaction.signed_in_links("account-1")

    assert ["open"] == [link.link_id for link in found]


async def test_sessions_of_an_account_go_together(stores: Stores) -> None:
    """In every household; those of others stay."""
    async with stores.auth.transaction() as transaction:
        await transaction.upsert_account(ACCOUNT)
        await transaction.upsert_account(replace(ACCOUNT, account_id="account-2", subject="other"))
        for session in (
            SESSION,
            replace(SESSION, session_hash="elsewhere", household_id="Sonos_2"),
            replace(SESSION, session_hash="of another", account_id="account-2"),
        ):
            await transaction.insert_session(session)
    async with stores.auth.transaction() as transaction:
        await transaction.delete_sessions(ACCOUNT.account_id)
        left = [
            await transaction.session(session_hash) is not None
            for session_hash in (SESSION.session_hash, "elsewhere", "of another")
        ]

    assert [False, False, True] == left
