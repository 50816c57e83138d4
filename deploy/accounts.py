"""What `latchkey accounts` does: the accounts of this installation itself."""

from dataclasses import replace

from auth_worker.providers import local
from deploy import grants
from shared import bootstrap
from shared.context import SystemRandom, random_id
from shared.domain.account import Account, AccountStatus
from shared.domain.limits import normal_name
from shared.domain.revocation import Scope, Selection
from shared.settings import LOCAL, Settings
from shared.storage.base import AuthStore, AuthTransaction
from shared.storage.records import AuditEvent, LocalUser

DEMO_NAME = "demo"
DEMO_PASSWORD = "open-the-door"  # noqa: S105 - printed to whoever starts the demo


async def add(settings: Settings, *, service: str, name: str, password: str) -> bool:
    """Add an account; False if the name is taken.

    Raises:
        ValueError: name or password cannot be used; the message says why.
    """
    user = await local.new_user(
        service=service, name=name, password=password, subject=random_id(SystemRandom())
    )
    async with bootstrap.open_auth_store(settings) as store, store.transaction() as transaction:
        return await transaction.insert_local_user(user)


async def set_password(settings: Settings, *, service: str, name: str, password: str) -> None:
    """Give an account another password; what it has linked stays linked.

    Raises:
        ValueError: there is no such account, or the password cannot be used; the message says why.
    """
    password_hash = await local.hashed(password)
    async with bootstrap.open_auth_store(settings) as store, store.transaction() as transaction:
        user = await _user(transaction, service, name)
        # In the database, nobody has a right to change these rows.
        await transaction.delete_local_user(service=service, subject=user.subject)
        await transaction.insert_local_user(replace(user, password_hash=password_hash))
        account = await _account(transaction, user)
        await transaction.audit(
            AuditEvent(kind="account.password_set", service=service, account_id=account.account_id)
        )


async def listed(settings: Settings, *, service: str) -> tuple[LocalUser, ...]:
    """Return all accounts of a service, by name."""
    async with bootstrap.open_auth_store(settings) as store, store.transaction() as transaction:
        return await transaction.local_users(service)


async def disable(settings: Settings, *, service: str, name: str) -> str:
    """Disable an account, revoke what it has linked, and return what to tell the operator.

    Disabled first: whoever links or refreshes in between is refused.

    Raises:
        ValueError: there is no such account.
        BusUnavailable: it is disabled, but token_worker could not be told to revoke; run it again.
    """
    account_id = await set_status(settings, service=service, name=name, status=AccountStatus.DISABLED)
    selection = Selection(service=service, scope=Scope.ACCOUNT, value=account_id)
    revoked = await grants.revoke(settings, selection, reason="account disabled")
    return f"disabled {name}; {revoked}"


async def set_status(settings: Settings, *, service: str, name: str, status: AccountStatus) -> str:
    """Set whether an account may be linked and used, and return its id.

    Raises:
        ValueError: there is no such account.
    """
    async with bootstrap.open_auth_store(settings) as store, store.transaction() as transaction:
        account = await _named(transaction, service, name)
        if account.status is not status:
            await transaction.set_account_status(account.account_id, status)
            kind = "account.disabled" if status is AccountStatus.DISABLED else "account.enabled"
            await transaction.audit(AuditEvent(kind=kind, service=service, account_id=account.account_id))
    return account.account_id


async def account_named(store: AuthStore, service: str, name: str) -> Account:
    """Return the account of a local user.

    Raises:
        ValueError: there is no such user.
    """
    async with store.transaction() as transaction:
        return await _named(transaction, service, name)


async def _named(transaction: AuthTransaction, service: str, name: str) -> Account:
    return await _account(transaction, await _user(transaction, service, name))


async def _user(transaction: AuthTransaction, service: str, name: str) -> LocalUser:
    user = await transaction.local_user(service, normal_name(name))
    if user is None:
        raise ValueError(f"no account {name!r}; `latchkey accounts list` shows all")
    return user


async def _account(transaction: AuthTransaction, user: LocalUser) -> Account:
    """Return the account of a user: one who has never signed in gets it here, so that it can be disabled."""
    return await transaction.upsert_account(
        Account(
            account_id=random_id(SystemRandom()),
            service=user.service,
            provider=LOCAL,
            subject=user.subject,
            nickname=user.nickname,
        )
    )
