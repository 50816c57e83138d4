"""Opens and ends visits to the household page, and closes accounts for good.

A visit is written whether somebody was let in or not, so that the page can read how it went however late it comes.
"""

from collections.abc import Sequence

import structlog

from auth_worker.context import AuthContext
from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from auth_worker.tries import within_budget
from shared.boxes import CodeEvidence, LoginEvidence, evidence_from, evidence_identity
from shared.domain import errors
from shared.domain import visit as visits
from shared.domain.account import Account, AccountStatus
from shared.domain.visit import Purpose, VisitOutcome
from shared.messages import (
    EraseApproved,
    EraseRequested,
    HouseholdLoginSubmitted,
    VisitChanged,
    VisitEnded,
    VisitUsed,
)
from shared.sealing import unseal
from shared.settings import LOCAL
from shared.storage.base import AuthTransaction
from shared.storage.records import AuditEvent

OUTCOMES: tuple[tuple[type[Exception], VisitOutcome], ...] = (
    (errors.SignInRefused, VisitOutcome.REFUSED),
    (errors.SignInIncomplete, VisitOutcome.INCOMPLETE),
    (errors.AccountDisabled, VisitOutcome.NOT_ALLOWED),
    (errors.AccountUnsupported, VisitOutcome.NOT_ALLOWED),
    (ProviderUnavailable, VisitOutcome.UNAVAILABLE),
    (errors.TooManyTries, VisitOutcome.LIMITED),
)
"""What keeps evidence from being accepted -> how the visit is judged."""
AUDITED = {Purpose.HOUSEHOLD: "household.signed_in", Purpose.ERASE: "household.erase_signed_in"}

log = structlog.get_logger(__name__)


async def sign_in(message: HouseholdLoginSubmitted, context: AuthContext) -> None:
    """Judge the evidence once, and write the visit."""
    async with context.store.transaction() as transaction:
        known = await transaction.visit(message.visit_hash)
    if known is None:
        # The provider is asked outside of any transaction: it may be slow.
        outcome, identity = await _judge(message, context)
        async with context.store.transaction() as transaction:
            await _record(transaction, message, outcome, identity, context)
    await _tell(message, context)


async def note_used(messages: Sequence[VisitUsed], context: AuthContext) -> None:
    """Record that people are still there."""
    async with context.store.transaction() as transaction:
        for message in messages:
            visit = await transaction.visit(message.visit_hash)
            if visit is not None:
                await transaction.swap_visit(visit, visits.used(visit, now=transaction.now))


async def sign_out(message: VisitEnded, context: AuthContext) -> None:
    """End a visit."""
    async with context.store.transaction() as transaction:
        await transaction.delete_visit(message.visit_hash)
    await _tell(message, context)


async def close(transaction: AuthTransaction, account: Account) -> None:
    """Close an account for good; `account.erase_approved` has to follow, and may follow twice."""
    # Disabled first: whoever links or refreshes until the row is gone is refused.
    await transaction.set_account_status(account.account_id, AccountStatus.DISABLED)
    if account.provider == LOCAL:
        await transaction.delete_local_user(service=account.service, subject=account.subject)
    await transaction.forget_in_audit(account.account_id)


async def erase(message: EraseRequested, context: AuthContext) -> None:
    """Close an account for good, and have token_worker end and delete what hangs on it; a duplicate only does the latter again."""
    async with context.store.transaction() as transaction:
        visit = await transaction.visit(message.visit_hash)
        visit, account_id = visits.check_may_erase(visit, now=transaction.now)
        await transaction.swap_visit(visit, visits.erasing(visit, now=transaction.now))
        account = await transaction.account(account_id)
        if account is not None:
            await close(transaction, account)
    approved = EraseApproved(
        service=message.service,
        gateway=message.gateway,
        correlation_id=message.correlation_id,
        account_id=account_id,
        visit_hash=message.visit_hash,
    )
    await context.bus.publish([approved])


async def _judge(
    message: HouseholdLoginSubmitted, context: AuthContext
) -> tuple[VisitOutcome, Identity | None]:
    box = unseal(
        message.evidence,
        private_keys=[key.secret for key in context.keys.box],
        bound_to=evidence_identity(message.visit_hash, message.purpose),
    )
    try:
        identity = await _identity(message, evidence_from(box), context)
    except tuple(kind for kind, _ in OUTCOMES) as refusal:
        outcome = next(outcome for kind, outcome in OUTCOMES if isinstance(refusal, kind))
        log.info(
            "visit not opened",
            outcome=outcome,
            provider=message.provider,
            reason=str(refusal),
            correlation_id=message.correlation_id,
        )
        return outcome, None
    return VisitOutcome.OPEN, identity


async def _identity(
    message: HouseholdLoginSubmitted, evidence: LoginEvidence | CodeEvidence, context: AuthContext
) -> Identity:
    if isinstance(evidence, CodeEvidence):
        redirect = context.redirect_provider_of(message.service, message.provider)
        # To erase, it does not do that somebody is still signed in at the provider.
        return await redirect.exchange(
            evidence, max_age=visits.PROOF if message.purpose is Purpose.ERASE else None
        )
    provider = context.provider_of(message.service, message.provider)
    return await within_budget(
        lambda: provider.authenticate(evidence, service=message.service),
        try_id=f"visit {message.visit_hash}",
        service=message.service,
        counted=message.counted,
        context=context,
    )


async def _record(
    transaction: AuthTransaction,
    message: HouseholdLoginSubmitted,
    outcome: VisitOutcome,
    identity: Identity | None,
    context: AuthContext,
) -> None:
    account = await _account(transaction, message, identity, context) if identity else None
    if account and account.status is AccountStatus.DISABLED:
        # As for a link: who comes from a provider has no password to correct.
        typed = context.settings.providers[message.provider].takes_password
        outcome, account = VisitOutcome.REFUSED if typed else VisitOutcome.NOT_ALLOWED, None
    if account is None:
        visit = visits.refused(
            visit_hash=message.visit_hash,
            service=message.service,
            purpose=message.purpose,
            outcome=outcome,
            now=transaction.now,
        )
        if await transaction.insert_visit(visit):
            event = AuditEvent(
                kind=f"household.{outcome}",
                service=message.service,
                detail={"provider": message.provider, "purpose": message.purpose},
            )
            await transaction.audit(event)
        return
    visit = visits.opened(
        visit_hash=message.visit_hash,
        service=message.service,
        purpose=message.purpose,
        account_id=account.account_id,
        now=transaction.now,
    )
    if await transaction.insert_visit(visit):
        await transaction.audit(
            AuditEvent(kind=AUDITED[message.purpose], service=message.service, account_id=account.account_id)
        )


async def _account(
    transaction: AuthTransaction, message: HouseholdLoginSubmitted, identity: Identity, context: AuthContext
) -> Account:
    """Return the account of a person, written now if they were never here: then nothing is linked, and the page says so."""
    return await transaction.upsert_account(
        Account(
            account_id=context.new_id(),
            service=message.service,
            provider=message.provider,
            subject=identity.subject,
            nickname=identity.nickname[:32],
            tier=identity.tier,
        )
    )


async def _tell(message: HouseholdLoginSubmitted | VisitEnded, context: AuthContext) -> None:
    changed = VisitChanged(
        service=message.service, visit_hash=message.visit_hash, correlation_id=message.correlation_id
    )
    await context.bus.answer(message.gateway, changed)
