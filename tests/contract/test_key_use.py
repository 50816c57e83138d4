"""What still depends on keys that are about to go, on both databases."""

from dataclasses import replace

from shared.domain.grant import revoke
from shared.storage.key_use import KeyUse, key_use
from tests.store_samples import GRANT, Stores, insert_grant

DAY = 86_400


async def used(database_url: str, *, signing: str = "other", derivation: str = "other") -> int:
    use = await key_use(database_url, signing=signing, derivation=derivation, since=0, idle=180 * DAY)
    return use.grants


async def test_living_grant_needs_both_its_keys(stores: Stores, database_url: str) -> None:
    """The one that signed its token, and the one its privateKey was derived from."""
    grant = await insert_grant(stores, GRANT)
    async with stores.token.transaction() as transaction:
        now = transaction.now
        await transaction.swap_grant(grant, replace(grant, used_at=now, version=grant.version + 1))

    assert 1 == await used(database_url, signing=GRANT.signing_key_id)
    assert 1 == await used(database_url, derivation=GRANT.derivation_key_id)
    assert 0 == await used(database_url)


async def test_ended_grant_needs_none(stores: Stores, database_url: str) -> None:
    """Who comes back with it has to link again anyway."""
    grant = await insert_grant(stores, GRANT)
    async with stores.token.transaction() as transaction:
        fresh = replace(grant, used_at=transaction.now, version=grant.version + 1)
        await transaction.swap_grant(grant, fresh)
        await transaction.swap_grant(fresh, revoke(fresh))

    assert 0 == await used(database_url, signing=GRANT.signing_key_id)


async def test_grant_that_was_idle_too_long_needs_none(stores: Stores, database_url: str) -> None:
    """Nor has it a successor."""
    await insert_grant(stores, replace(GRANT, used_at=1))

    assert 0 == await used(database_url, signing=GRANT.signing_key_id)


async def test_kept_tokens_of_providers_are_counted(stores: Stores, database_url: str) -> None:
    """Those that were sealed before a time."""
    assert KeyUse(grants=0, provider_tokens=0) == await key_use(
        database_url, signing="x", derivation="x", since=2**40, idle=DAY
    )
