"""The accounts of this installation itself: for small installs and for trying out."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from auth_worker.providers.base import Identity, Surroundings
from shared.boxes import LoginEvidence
from shared.domain.errors import SignInRefused
from shared.domain.limits import normal_name
from shared.settings import LocalProviderSettings
from shared.storage.base import AuthStore
from shared.storage.records import LocalUser

LONGEST_NAME = 128
LONGEST_PASSWORD = 1024

_HASHER = PasswordHasher()  # argon2id, RFC 9106's second recommended profile: 64 MiB, t=3, p=4
AT_A_TIME = 2
"""Verifications; each takes 64 MiB and a sixth of a core-second."""
_POOL = ThreadPoolExecutor(max_workers=AT_A_TIME, thread_name_prefix="argon2")


class LocalProvider:
    """Checks names and passwords against `local_users`."""

    def __init__(self, store: AuthStore) -> None:
        self._store = store
        # Verified in place of an unknown user's, so that both cost the same; nobody has this password.
        self._nobodys_hash = _HASHER.hash("nobody")

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        """Return the local user whose password this is.

        Raises:
            SignInRefused: unknown name or wrong password; both cost one argon2 verification.
        """
        async with self._store.transaction() as transaction:
            user = await transaction.local_user(service, normal_name(evidence.name))
        right = await _verify(user.password_hash if user else self._nobodys_hash, evidence.password)
        if user is None or not right:
            raise SignInRefused
        return Identity(subject=user.subject, nickname=user.nickname)


@asynccontextmanager
async def open_local(_: LocalProviderSettings, within: Surroundings) -> AsyncIterator[LocalProvider]:
    """Open the accounts of this installation itself."""
    yield LocalProvider(within.store)


async def new_user(*, service: str, name: str, password: str, subject: str) -> LocalUser:
    """Return a user ready to be stored.

    Raises:
        ValueError: the name or the password cannot be used; the message says why.
    """
    if not normal_name(name) or len(name) > LONGEST_NAME:
        raise ValueError(f"a name has 1 to {LONGEST_NAME} characters")
    return LocalUser(
        service=service,
        name=normal_name(name),
        subject=subject,
        nickname=name.strip()[:32],
        password_hash=await hashed(password),
    )


async def hashed(password: str) -> str:
    """Return what is stored of a password.

    Raises:
        ValueError: it cannot be used; the message says why.
    """
    if not 8 <= len(password) <= LONGEST_PASSWORD:
        raise ValueError(f"a password has 8 to {LONGEST_PASSWORD} characters")
    return await asyncio.get_running_loop().run_in_executor(_POOL, _HASHER.hash, password)


async def _verify(password_hash: str, password: str) -> bool:
    loop = asyncio.get_running_loop()
    # The same work for one that is too long, so that the time tells nothing of the account; but it is not the password.
    looked_at = password[:LONGEST_PASSWORD]
    is_right = await loop.run_in_executor(_POOL, _verify_in_thread, password_hash, looked_at)
    return is_right and looked_at == password


def _verify_in_thread(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
