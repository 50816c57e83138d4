"""The part of the store's port that is for people who look after what is linked: their visits, systems and events."""

from dataclasses import dataclass, field
from typing import Protocol

from shared.domain.account import Account
from shared.domain.grant import Grant
from shared.domain.link import Device
from shared.domain.visit import Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One row of `grant_origins`: from where a system was linked."""

    grant_id: str
    service: str
    device: Device
    network: str
    """The address prefix of the browser that allowed it, such as `192.0.2.0/24`; empty if nobody knows."""
    link_id: str | None = None
    """The last link that it was linked by; None for those from before this was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemView:
    """A grant, and from where it came if that is known."""

    grant: Grant
    origin: Origin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """An audit event, as the person whose account it names may see it."""

    at: int
    kind: str
    household_id: str | None
    detail: dict[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitView:
    """A visit, and whose it is."""

    visit: Visit
    account: Account | None
    """None while, or because, nobody was let in."""
    now: int


class HouseholdReads(Protocol):
    """What a gateway may ask."""

    async def visit(self, visit_hash: str) -> VisitView | None:
        """Return a visit and its account."""
        ...

    async def systems(self, account_id: str, *, limit: int) -> tuple[SystemView, ...]:
        """Return the grants of an account that have not ended, at most *limit*, the one used last first."""
        ...

    async def events(self, account_id: str, *, limit: int) -> tuple[AuditView, ...]:
        """Return what happened to an account, latest first."""
        ...


class HouseholdWrites(Protocol):
    """What auth_worker may do."""

    async def visit(self, visit_hash: str) -> Visit | None:
        """Return a visit as it is."""
        ...

    async def insert_visit(self, visit: Visit) -> bool:
        """Insert a visit; False if it was there already."""
        ...

    async def swap_visit(self, old: Visit, new: Visit) -> None:
        """Replace *old* by *new*; nothing to do when they are the same object.

        Raises:
            Conflict: the row no longer has the version of *old*.
        """
        ...

    async def delete_visit(self, visit_hash: str) -> None:
        """Delete a visit if it is there."""
        ...

    async def delete_local_user(self, *, service: str, subject: str) -> None:
        """Delete a local user if there is one."""
        ...

    async def forget_in_audit(self, account_id: str) -> None:
        """Take households and details out of the audit events of an account and of its links; that they happened stays."""
        ...


class HouseholdErasure(Protocol):
    """What token_worker may do."""

    async def put_origin(self, origin: Origin) -> None:
        """Write from where a grant came, over an earlier word on it."""
        ...

    async def erase_account(self, account_id: str) -> tuple[Grant, ...] | None:
        """Delete an account with its grants, sessions and visits.

        Returns:
            The grants as they were; None if there is no such account.

        Raises:
            Conflict: somebody is linking to it right now.
        """
        ...
