"""Ends grants, a bounded page at a time, and accounts: by an event in token_worker, or directly where no bus reaches."""

from dataclasses import dataclass

from shared.domain import grant as grants
from shared.domain.grant import Grant
from shared.domain.revocation import Limits, Selection, is_meant
from shared.storage.base import AuditEvent, TokenStore, TokenTransaction

PAGE = 100
"""Grants in one transaction: some 400 statements, and locks that a refresh waits for no longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What one page came to."""

    grants: tuple[Grant, ...]
    """All that are ended now, whether by this page or before: a repetition tells of them again."""
    newly: int
    """How many of them were ended by this page."""
    next_after: str | None
    """Where the next page begins; None when this was the last."""


async def erase(store: TokenStore, *, service: str, account_id: str) -> tuple[Grant, ...]:
    """Delete an account with all that hangs on it, and return what grants it had; none if it is gone already.

    Raises:
        Conflict: somebody is linking to it right now; nothing was done.
        StoreUnavailable: the database does not answer; it may be done, and may be done again.
    """
    async with store.transaction() as transaction:
        gone = await transaction.erase_account(account_id)
        if gone is not None:
            await transaction.audit(AuditEvent(kind="account.erased", service=service, account_id=account_id))
    return gone or ()


async def end_page(
    store: TokenStore, selection: Selection, limits: Limits, *, reason: str, after: str = "", page: int = PAGE
) -> Ended:
    """End one page of selected grants in one transaction; what had ended stays as it is.

    Raises:
        StoreUnavailable: the database does not answer; the page may be done, and may be done again.
    """
    async with store.transaction() as transaction:
        found = await transaction.grants(selection, after=after, limit=page)
        meant = [grant for grant in found if is_meant(grant, limits)]
        newly = [await _end(transaction, grant, reason) for grant in meant]
    return Ended(
        grants=tuple(meant),
        newly=sum(newly),
        next_after=found[-1].grant_id if len(found) == page else None,
    )


async def end_all(store: TokenStore, selection: Selection, limits: Limits, *, reason: str) -> int:
    """End all selected grants, one bounded transaction after the other, and return how many had not ended before."""
    total, after = 0, ""
    while True:
        ended = await end_page(store, selection, limits, reason=reason, after=after)
        total += ended.newly
        if ended.next_after is None:
            return total
        after = ended.next_after


async def _end(transaction: TokenTransaction, grant: Grant, reason: str) -> bool:
    revoked = grants.revoke(grant)
    if revoked is grant:
        return False
    await transaction.swap_grant(grant, revoked)
    await transaction.audit(
        AuditEvent(
            kind="grant.revoked",
            service=grant.service,
            account_id=grant.account_id,
            grant_id=grant.grant_id,
            household_id=grant.household_id,
            detail={"family": grant.family, "generation": grant.generation, "reason": reason},
        )
    )
    return True
