"""The port of the store: one read-only view for gateways, one kind of transaction for each worker.

Promises, alike for every adapter:

- A transaction is all or nothing; it commits when its block ends without an exception.
- `now` is the database's clock at the start of the transaction or read, in whole seconds since the epoch.
- `swap_*` writes the new value only where the row still has the old value's version, and raises `Conflict` otherwise.
- Anything that keeps the database from answering surfaces as `StoreUnavailable`; after it a commit may or may not have
  happened, and the caller runs the same, idempotent work again.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from shared.domain.account import Account, AccountStatus
from shared.domain.grant import Grant
from shared.domain.link import Link
from shared.domain.revocation import Selection
from shared.storage.audits import AuditChain
from shared.storage.codes import CodeReads, CodeTransaction
from shared.storage.legacy import LegacyReads, LegacyWrites, UpgradeReads
from shared.storage.lifecycle import LifecycleTransaction
from shared.storage.notices import NoticeTelling, NoticeWrites
from shared.storage.providers import ProviderReads, ProviderTransaction
from shared.storage.records import (
    AuditEvent,
    Changes,
    Connections,
    GrantView,
    Holders,
    LinkView,
    LocalUser,
    LoginAttempt,
    PollView,
    SealedPair,
    TokenView,
)
from shared.storage.timelines import FirstUses, SightingWrites, TimelineReads
from shared.storage.tries import TryReads, TryTransaction
from shared.storage.visits import HouseholdErasure, HouseholdReads, HouseholdWrites


class StoreUnavailable(Exception):
    """The database did not answer, or not in time."""


class Conflict(Exception):
    """Somebody else changed the row first; read it again and decide again."""


class Watched(Protocol):
    """What is watched of every store."""

    async def check(self) -> None:
        """Prove that the database answers and has the schema of this version.

        Raises:
            StoreUnavailable: it does not, with the way out in the message.
        """
        ...

    def connections(self) -> Connections:
        """Tell how many of its connections are in use, also when all of them are."""
        ...

    async def database_time(self) -> int:
        """Return whole seconds since the epoch, by the database's clock.

        Raises:
            StoreUnavailable: it does not answer.
        """
        ...


class ReadStore(
    LegacyReads, CodeReads, ProviderReads, TryReads, HouseholdReads, TimelineReads, Watched, Protocol
):
    """What a gateway may ask. There is no method that writes."""

    async def poll(self, link_id: str) -> PollView | None:
        """Return how a link stands, and its delivery, in one read."""
        ...

    async def link(self, link_id: str) -> LinkView | None:
        """Return a link, who signed in, and how each attempt was judged."""
        ...

    async def grant(self, grant_id: str) -> TokenView | None:
        """Return how a grant stands, and its account."""
        ...

    async def grants(self, selection: Selection, *, after: str = "", limit: int) -> tuple[GrantView, ...]:
        """Return selected grants, ended ones too, with their accounts: by id, beginning behind *after*, at most *limit*."""
        ...

    async def delivery(self, delivery_id: str) -> bytes | None:
        """Return an unexpired sealed pair."""
        ...

    async def account_of(self, *, service: str, provider: str, subject: str) -> Account | None:
        """Return the account of a person whom a provider vouches for."""
        ...


class LinkTransaction(UpgradeReads, Protocol):
    """What both workers may do to links, inside one transaction."""

    @property
    def now(self) -> int:
        """Return the database's time of this transaction."""
        ...

    async def link(self, link_id: str) -> Link | None:
        """Return a link as it is."""
        ...

    async def swap_link(self, old: Link, new: Link) -> None:
        """Replace *old* by *new*; nothing to do when they are the same object.

        Raises:
            Conflict: the row no longer has the version of *old*.
        """
        ...

    async def account(self, account_id: str) -> Account | None:
        """Return an account."""
        ...

    async def audit(self, event: AuditEvent) -> None:
        """Record what happened, with the transaction's time."""
        ...

    async def audit_all(self, events: Sequence[AuditEvent]) -> None:
        """Record several things that happened, at least one."""
        ...


class AuthTransaction(
    LinkTransaction,
    LegacyWrites,
    CodeTransaction,
    ProviderTransaction,
    LifecycleTransaction,
    TryTransaction,
    NoticeTelling,
    HouseholdWrites,
    SightingWrites,
    Protocol,
):
    """What auth_worker may do."""

    async def insert_link(self, link: Link) -> bool:
        """Insert a link; False if it was there already."""
        ...

    async def insert_links(self, new: Sequence[Link]) -> frozenset[str]:
        """Insert links, and return the ids of those that were not there already."""
        ...

    async def links_asked_for(self, household_ids: Sequence[str]) -> tuple[Link, ...]:
        """Return the links of households that nobody has signed in to yet, and that have not expired."""
        ...

    async def attempts(self, link_id: str) -> tuple[LoginAttempt, ...]:
        """Return the judged attempts on a link, oldest first."""
        ...

    async def insert_attempt(self, attempt: LoginAttempt) -> bool:
        """Record a judged attempt; False if this submission was judged before."""
        ...

    async def account_of(self, *, service: str, provider: str, subject: str) -> Account | None:
        """Return the account of a person whom a provider vouches for."""
        ...

    async def upsert_account(self, account: Account) -> Account:
        """Insert an account, or bring nickname and tier of the one with the same service, provider and subject up to date.

        Returns:
            The stored account: on an existing row its own id and status.
        """
        ...

    async def set_account_status(self, account_id: str, status: AccountStatus) -> None:
        """Enable or disable an account; nothing happens where there is none."""
        ...

    async def local_user(self, service: str, name: str) -> LocalUser | None:
        """Return a local user by the name signed in with."""
        ...

    async def insert_local_user(self, user: LocalUser) -> bool:
        """Add a local user; False if the name is taken."""
        ...

    async def local_users(self, service: str) -> tuple[LocalUser, ...]:
        """Return all local users of a service, by name."""
        ...


class TokenTransaction(LinkTransaction, NoticeWrites, AuditChain, HouseholdErasure, FirstUses, Protocol):
    """What token_worker may do."""

    async def grant(self, grant_id: str) -> Grant | None:
        """Return a grant."""
        ...

    async def grant_of(self, *, service: str, account_id: str, household_id: str) -> Grant | None:
        """Return the grant of an account in a household."""
        ...

    async def grants(self, selection: Selection, *, after: str = "", limit: int) -> tuple[Grant, ...]:
        """Return selected grants, ended ones too: by id, beginning behind *after*, at most *limit*.

        Until the transaction ends nobody else can change them.
        """
        ...

    async def insert_grant(self, grant: Grant) -> None:
        """Insert a new grant.

        Raises:
            Conflict: the account has a grant in this household already.
        """
        ...

    async def swap_grant(self, old: Grant, new: Grant) -> None:
        """Replace *old* by *new*; nothing to do when they are the same object.

        Raises:
            Conflict: the row no longer has the version of *old*.
        """
        ...

    async def put_delivery(self, *, delivery_id: str, service: str, sealed: bytes, expires_at: int) -> None:
        """Write a sealed pair for the gateways, over an earlier one of the same id."""
        ...

    async def swap_grants(self, swaps: Sequence[tuple[Grant, Grant]]) -> None:
        """Replace many grants, each at most once; as `swap_grant`, and on a conflict nothing of it may be kept."""
        ...

    async def put_deliveries(self, pairs: Sequence[SealedPair]) -> None:
        """Write many sealed pairs; as `put_delivery`."""
        ...

    async def delete_expired(self, *, links_before: int, limit: int) -> int:
        """Delete what has expired: deliveries, sessions, visits, upgrades, typed codes, entries, tries, places, notices, told ends, old links.

        Links go when they expired before *links_before*.

        Returns:
            How many rows went, at most *limit* of each kind.
        """
        ...


class AuthStore(Watched, Protocol):
    """auth_worker's store."""

    def transaction(self) -> AbstractAsyncContextManager[AuthTransaction]:
        """Open a transaction."""
        ...


class TokenStore(Watched, Protocol):
    """token_worker's store."""

    def transaction(self) -> AbstractAsyncContextManager[TokenTransaction]:
        """Open a transaction."""
        ...

    async def holders(self, grant_ids: Collection[str]) -> Holders:
        """Return grants with their accounts; what does not exist is missing."""
        ...

    async def write(self, changes: Changes) -> None:
        """Write what came of what was read, all or nothing.

        Raises:
            Conflict: a grant no longer has the version it had.
        """
        ...
