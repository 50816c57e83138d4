"""What every store promises about identity providers, on SQLite and on PostgreSQL."""

from dataclasses import replace

import pytest

from shared.storage.base import Conflict
from shared.storage.providers import ProviderTokens
from tests.store_samples import ACCOUNT, METADATA, Stores


async def test_metadata_is_read_as_it_was_last_written(stores: Stores) -> None:
    """Whole, with its age; the second answer of a provider takes the place of the first."""
    unknown = await stores.read.provider_metadata("corp")
    moved = replace(METADATA, authorization_endpoint="https://login.example.com/v2", iss_parameter=False)
    for metadata in (METADATA, moved):
        async with stores.auth.transaction() as transaction:
            await transaction.put_provider_metadata(metadata)
    known = await stores.read.provider_metadata("corp")

    assert unknown is None
    assert known is not None
    assert moved == known.metadata
    assert known.age in range(60)


async def signed_in(stores: Stores, sealed: bytes) -> ProviderTokens:
    async with stores.auth.transaction() as transaction:
        await transaction.upsert_account(ACCOUNT)
        await transaction.put_provider_tokens(account_id=ACCOUNT.account_id, service="default", sealed=sealed)
        tokens = await transaction.provider_tokens(ACCOUNT.account_id)
    assert tokens is not None
    return tokens


async def test_tokens_of_a_new_sign_in_are_not_overwritten_by_older_ones(stores: Stores) -> None:
    """Whoever asked the provider with the tokens before does not put their successors in the place of newer ones."""
    before = await signed_in(stores, b"first")
    after = await signed_in(stores, b"second")
    rotated = replace(before, sealed=b"rotated", version=before.version + 1)
    with pytest.raises(Conflict):
        async with stores.auth.transaction() as transaction:
            await transaction.swap_provider_tokens(before, rotated)
    async with stores.auth.transaction() as transaction:
        kept = await transaction.provider_tokens(ACCOUNT.account_id)

    assert after == kept
    assert b"second" == after.sealed


async def test_tokens_are_rotated_and_deleted(stores: Stores) -> None:
    """A swap on the version that was read goes through; deleted tokens are gone, twice as well as once."""
    tokens = await signed_in(stores, b"first")
    rotated = replace(tokens, sealed=b"rotated", checked_at=tokens.checked_at + 5, version=tokens.version + 1)
    async with stores.auth.transaction() as transaction:
        await transaction.swap_provider_tokens(tokens, rotated)
        kept = await transaction.provider_tokens(ACCOUNT.account_id)
        for _ in range(2):
            await transaction.delete_provider_tokens(ACCOUNT.account_id)
        gone = await transaction.provider_tokens(ACCOUNT.account_id)

    assert (rotated, None) == (kept, gone)
    assert "rotated" not in repr(kept)
