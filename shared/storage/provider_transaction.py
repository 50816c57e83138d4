"""What auth_worker does to the rows of identity providers, inside one transaction."""

from dataclasses import asdict
from functools import cache

from sqlalchemy import bindparam, delete, select

from shared.storage import writes
from shared.storage.link_transaction import SqlLinkTransaction
from shared.storage.providers import ProviderMetadata, ProviderTokens, ProviderTransaction
from shared.storage.rows import provider_metadata_values
from shared.storage.schema import provider_metadata, provider_tokens

_TOKENS = select(provider_tokens).where(provider_tokens.c.account_id == bindparam("account_id"))
_DELETE_TOKENS = delete(provider_tokens).where(provider_tokens.c.account_id == bindparam("account_id"))


class SqlProviderTransaction(SqlLinkTransaction, ProviderTransaction):
    """See the port."""

    async def put_provider_metadata(self, metadata: ProviderMetadata) -> None:
        """Write what a provider has just said about itself."""
        values = provider_metadata_values(metadata, fetched_at=self.now)
        brought = tuple(name for name in values if name != "provider")
        statement = writes.upsert(self._session.dialect, provider_metadata, ("provider",), brought)
        await self._session.execute(statement, values)

    async def put_provider_tokens(self, *, account_id: str, service: str, sealed: bytes) -> None:
        """Write the tokens of somebody who has just signed in."""
        tokens = ProviderTokens(account_id=account_id, service=service, sealed=sealed, checked_at=self.now)
        await self._session.execute(_put_tokens(self._session.dialect), asdict(tokens))

    async def provider_tokens(self, account_id: str) -> ProviderTokens | None:
        """Return the tokens of an account."""
        row = await self._session.first(_TOKENS, {"account_id": account_id})
        return None if row is None else ProviderTokens(**row)

    async def swap_provider_tokens(self, old: ProviderTokens, new: ProviderTokens) -> None:
        """Replace *old* by *new*."""
        await self._session.swap(provider_tokens, asdict(old), asdict(new))

    async def delete_provider_tokens(self, account_id: str) -> None:
        """Delete the tokens of an account."""
        await self._session.execute(_DELETE_TOKENS, {"account_id": account_id})


@cache
def _put_tokens(dialect: str) -> writes.Insert:
    """Return an upsert after which whoever read the row before cannot swap it any more."""
    insert = writes.insert(dialect, provider_tokens)
    return insert.on_conflict_do_update(
        index_elements=("account_id",),
        set_={
            "sealed": insert.excluded.sealed,
            "checked_at": insert.excluded.checked_at,
            "version": provider_tokens.c.version + 1,
        },
    )
