"""What `latchkey accounts` does: the accounts of this installation itself."""

from auth_worker.providers import local
from shared import bootstrap
from shared.context import SystemRandom, random_id
from shared.settings import Settings
from shared.storage.base import LocalUser


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


async def listed(settings: Settings, *, service: str) -> tuple[LocalUser, ...]:
    """Return all accounts of a service, by name."""
    async with bootstrap.open_auth_store(settings) as store, store.transaction() as transaction:
        return await transaction.local_users(service)
