"""What people may ask of whoever runs this: everything that is known of an account, and that it is erased."""

import asyncio

from auth_worker.household import close
from deploy import accounts
from deploy.broker import is_embedded, open_broker
from gateway.pages.household_data import everything
from shared import bootstrap
from shared.domain.account import Account
from shared.messages import EraseApproved
from shared.settings import Settings
from shared.storage.base import AuthStore, Conflict
from token_worker import notices, revocation

MOST_SECONDS = 60.0
"""How long the command waits for token_worker."""


async def export(
    settings: Settings, *, service: str, name: str | None, account_id: str | None
) -> dict[str, object]:
    """Return everything that is known of an account, as its person gets it on the household page.

    Raises:
        ValueError: there is no such account.
        StoreUnavailable: the database does not answer, or this role may not read it.
    """
    async with bootstrap.open_auth_store(settings) as store, bootstrap.open_read_store(settings) as reads:
        return await everything(await _found(store, service, name, account_id), reads)


async def erase(settings: Settings, *, service: str, name: str | None, account_id: str | None) -> str:
    """Erase an account with all that hangs on it, and return its id; what it did stays in the audit events, without households and details.

    It is closed first, so that nobody links or refreshes meanwhile; every step may be repeated.

    Raises:
        ValueError: there is no such account, or somebody is linking to it at this moment.
        BusUnavailable: it is closed, and token_worker was not told to delete it; run it again.
        TimeoutError: it is closed, and token_worker was told; it has not done it yet.
    """
    async with bootstrap.open_auth_store(settings) as store:
        account = await _found(store, service, name, account_id)
        async with store.transaction() as transaction:
            await close(transaction, account)
        if is_embedded(settings):
            await _erase_here(settings, account)
        else:
            await _have_erased(settings, store, account)
    return account.account_id


async def _found(store: AuthStore, service: str, name: str | None, account_id: str | None) -> Account:
    if (name is None) == (account_id is None):
        raise ValueError("say whose: the name of an account of this installation, or --account ID")
    if name is not None:
        return await accounts.account_named(store, service, name)
    async with store.transaction() as transaction:
        account = await transaction.account(str(account_id))
    if account is None or account.service != service:
        raise ValueError(
            f"no account {account_id!r}; `latchkey grants list --all` shows those that have linked"
        )
    return account


async def _erase_here(settings: Settings, account: Account) -> None:
    async with bootstrap.open_token_store(settings) as store:
        try:
            await revocation.erase(
                store,
                service=account.service,
                account_id=account.account_id,
                notices_kept=notices.kept(settings),
            )
        except Conflict:
            raise ValueError(
                "it is closed, but somebody was linking to it at this moment; run it again"
            ) from None


async def _have_erased(settings: Settings, store: AuthStore, account: Account) -> None:
    """Have token_worker delete an account, as for somebody who asked on the household page, and wait until it has."""
    # No page waits for it, so that no gateway and no visit is named.
    approved = EraseApproved(service=account.service, account_id=account.account_id, visit_hash="")
    async with open_broker(settings) as bus:
        await bus.publish([approved])
    async with asyncio.timeout(MOST_SECONDS):
        while await _is_there(store, account.account_id):  # noqa: ASYNC110 - it is done in another process
            await asyncio.sleep(0.1)


async def _is_there(store: AuthStore, account_id: str) -> bool:
    async with store.transaction() as transaction:
        return await transaction.account(account_id) is not None
