"""Ends grants, a bounded page at a time, and accounts: by an event in token_worker, or directly where no bus reaches."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain import grant as grants
from shared.domain.grant import Grant
from shared.domain.notice import Notice, NoticeKind
from shared.domain.revocation import Limits, Selection, is_meant
from shared.storage.base import TokenStore, TokenTransaction
from shared.storage.records import AuditEvent
from token_worker import notices

PAGE = 100
"""Grants in one transaction: some 400 statements, and locks that a refresh waits for no longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What one transaction came to."""

    grants: tuple[Grant, ...]
    """All that are ended now, whether by this transaction or before: a repetition tells of them again."""
    newly: int
    """How many of them were ended by this transaction."""
    next_after: str | None
    """Where the next page begins; None when this was the last."""
    notices: Sequence[Notice] = ()
    """What the service is to be told of it."""


async def erase(store: TokenStore, *, service: str, account_id: str, notices_kept: int | None) -> Ended:
    """Delete an account with all that hangs on it, and return what grants it had; none if it is gone already.

    Args:
        notices_kept: as `notices.kept` says.

    Raises:
        Conflict: somebody is linking to it right now; nothing was done.
        StoreUnavailable: the database does not answer; it may be done, and may be done again.
    """
    async with store.transaction() as transaction:
        account = await transaction.account(account_id)
        gone = await transaction.erase_account(account_id)
        if account is None or gone is None:
            return Ended(grants=(), newly=0, next_after=None)
        await transaction.audit(AuditEvent(kind="account.erased", service=service, account_id=account_id))
        told = notices.erased(account, at=transaction.now, kept=notices_kept)
        await _write(transaction, told)
    return Ended(grants=gone, newly=len(gone), next_after=None, notices=told)


async def end_page(
    store: TokenStore,
    selection: Selection,
    limits: Limits,
    *,
    reason: str,
    notices_kept: int | None,
    after: str = "",
    page: int = PAGE,
) -> Ended:
    """End one page of selected grants in one transaction; what had ended stays as it is.

    Args:
        notices_kept: as `notices.kept` says.

    Raises:
        StoreUnavailable: the database does not answer; the page may be done, and may be done again.
    """
    async with store.transaction() as transaction:
        found = await transaction.grants(selection, after=after, limit=page)
        meant = [grant for grant in found if is_meant(grant, limits)]
        newly = [grant for grant in meant if await _end(transaction, grant, reason)]
        told = [
            notice
            for grant in newly
            for notice in notices.of_grant(
                NoticeKind.REVOKED, grant, at=transaction.now, kept=notices_kept, reason=reason
            )
        ]
        await _write(transaction, told)
    return Ended(
        grants=tuple(meant),
        newly=len(newly),
        next_after=found[-1].grant_id if len(found) == page else None,
        notices=told,
    )


async def end_all(
    store: TokenStore, selection: Selection, limits: Limits, *, reason: str, notices_kept: int | None
) -> int:
    """End all selected grants, one bounded transaction after the other, and return how many had not ended before."""
    total, after = 0, ""
    while True:
        ended = await end_page(
            store, selection, limits, reason=reason, notices_kept=notices_kept, after=after
        )
        total += ended.newly
        if ended.next_after is None:
            return total
        after = ended.next_after


async def _write(transaction: TokenTransaction, told: Sequence[Notice]) -> None:
    for notice in told:
        await transaction.insert_notice(notice)


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
