"""What goes into a store and comes out of it, beside the values of the domain: views for gateways, rows for workers. Times are seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from shared.domain import grant as grants
from shared.domain.account import Account
from shared.domain.grant import Grant, GrantStanding
from shared.domain.link import Link, Standing
from shared.domain.notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """A store's connections to its database."""

    used: int
    """Connections that are at work, or kept for one question."""
    most: int
    """Connections that there may be."""


class AttemptOutcome(StrEnum):
    """How one offer of evidence was judged."""

    AUTHENTICATED = "authenticated"
    REFUSED = "refused"
    """Name and password do not belong together."""
    NOT_ALLOWED = "not_allowed"
    """The provider knows the person, and says that this account may not be used here; does not count against the link."""
    TAKEN = "taken"
    """Good evidence, but another account or browser has the link; does not count against the link."""
    INCOMPLETE = "incomplete"
    """What came back from the provider proves nothing: sign in again; does not count against the link."""
    UNAVAILABLE = "unavailable"
    """The identity provider could not be asked; does not count against the link."""
    LIMITED = "limited"
    """Too many wrong passwords lately: nobody looked at this one; does not count against the link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempt:
    """One row of `login_attempts`."""

    link_id: str
    submission_id: str
    outcome: AttemptOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUser:
    """One row of `local_users`: somebody whom this installation itself knows."""

    service: str
    name: str
    """As signed in with: lower case, NFKC."""
    subject: str
    nickname: str
    password_hash: str
    """argon2id, in its own encoded form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One row of `audit_events`: who did what to which link or grant; never a secret."""

    kind: str
    """Such as `link.linked` or `login.refused`."""
    service: str
    link_id: str | None = None
    account_id: str | None = None
    grant_id: str | None = None
    household_id: str | None = None
    detail: dict[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPair:
    """One row of `deliveries`."""

    delivery_id: str
    service: str
    sealed: bytes
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Grants and their accounts, to be judged many at a time."""

    now: int
    """The database's clock when they were read; 0 where none was found."""
    found: Mapping[str, tuple[Grant, Account]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What came of judging them."""

    swaps: Sequence[tuple[Grant, Grant]] = ()
    """Grants as they were and as they are to be, each at most once."""
    deliveries: Sequence[SealedPair] = ()
    """Each id at most once."""
    audits: Sequence[AuditEvent] = ()
    notices: Sequence[Notice] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to write."""
        return not (self.swaps or self.deliveries or self.audits or self.notices)

    @property
    def first_used(self) -> list[str]:
        """Return the grants whose families come into use with it: what the links' timelines wait for."""
        return [new.grant_id for old, new in self.swaps if grants.is_first_use(old, new)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """What the pages show of a link."""

    link: Link
    account: Account | None
    attempts: tuple[LoginAttempt, ...]
    """In the order in which they were judged."""
    now: int


class PollView(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll needs: how the link stands, and the sealed pair if there is one."""

    link: Standing
    delivery: bytes | None
    now: int


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """What a guarded call needs: whether the grant still holds, and whose it is."""

    grant: GrantStanding
    account: Account
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A grant, and whose it is."""

    grant: Grant
    account: Account
    now: int
