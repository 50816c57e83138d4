"""What auth_worker does with each event; `HANDLERS` at the end is the table of contents."""

import msgspec
import structlog

from auth_worker import household, legacy
from auth_worker.codes import enter_code, name_link
from auth_worker.context import AuthContext
from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from auth_worker.vouching import know_account, link_vouched
from shared.domain import errors
from shared.domain import link as rules
from shared.domain.account import Account, AccountStatus
from shared.domain.link import Device, Link, LinkState
from shared.messages import (
    AccountVouched,
    CodeEntered,
    EraseRequested,
    HouseholdLoginSubmitted,
    LinkChanged,
    LinkDeclineRequested,
    LinkLoginSubmitted,
    LinkRequested,
    LinkVouched,
    LoginEvidence,
    SessionRequested,
    SessionUsed,
    UpgradeRequested,
    VisitEnded,
    VisitUsed,
    evidence_identity,
)
from shared.sealing import unseal
from shared.storage.base import AttemptOutcome, AuditEvent, AuthTransaction, LoginAttempt
from shared.worker import Batched, HandlerTable, Retry

OUTCOMES: tuple[tuple[type[Exception], AttemptOutcome], ...] = (
    (errors.SignInRefused, AttemptOutcome.REFUSED),
    (errors.AccountDisabled, AttemptOutcome.NOT_ALLOWED),
    (errors.AccountUnsupported, AttemptOutcome.NOT_ALLOWED),
    (ProviderUnavailable, AttemptOutcome.UNAVAILABLE),
)
"""What keeps evidence from being accepted -> how the attempt is judged."""

log = structlog.get_logger(__name__)


async def open_link(message: LinkRequested, context: AuthContext) -> None:
    """Write the row of a new link."""
    async with context.store.transaction() as transaction:
        link = Link(
            link_id=message.link_id,
            service=message.service,
            state=LinkState.REQUESTED,
            household_id=message.household_id,
            device=Device(
                hardware=message.hardware, os_version=message.os_version, app_name=message.app_name
            ),
            callback_path=message.callback_path,
            requested_at=transaction.now,
            expires_at=transaction.now + message.lifetime,
        )
        if await transaction.insert_link(link):
            await transaction.audit(_audit("link.requested", link))
            await name_link(transaction, message, link)


async def sign_in(message: LinkLoginSubmitted, context: AuthContext) -> None:
    """Judge the evidence once, and move the link if it is good."""
    async with context.store.transaction() as transaction:
        link = await _existing(transaction, message.link_id)
        judged = {attempt.submission_id for attempt in await transaction.attempts(message.link_id)}
        over = link.state_at(transaction.now) not in {LinkState.REQUESTED, LinkState.AUTHENTICATED}
    if not over and message.submission_id not in judged:
        # The provider is asked outside of any transaction: it may be slow.
        outcome, identity = await _judge(message, context)
        link = await _record(message, outcome, identity, context)
    await _tell(message, link, context)


async def decline(message: LinkDeclineRequested, context: AuthContext) -> None:
    """End a link because the person said no."""
    async with context.store.transaction() as transaction:
        link = await _existing(transaction, message.link_id)
        declined = rules.decline(link, browser=message.browser, now=transaction.now)
        await transaction.swap_link(link, declined)
        if declined is not link:
            await transaction.audit(_audit("link.declined", declined))
    await _tell(message, declined, context)


async def _judge(message: LinkLoginSubmitted, context: AuthContext) -> tuple[AttemptOutcome, Identity | None]:
    box = unseal(
        message.evidence,
        private_keys=[key.secret for key in context.keys.box],
        bound_to=evidence_identity(message.link_id, message.submission_id),
    )
    evidence = msgspec.json.decode(box, type=LoginEvidence)
    try:
        provider = context.provider_of(message.service, message.provider)
        identity = await provider.authenticate(evidence, service=message.service)
    except tuple(kind for kind, _ in OUTCOMES) as refusal:
        if isinstance(refusal, ProviderUnavailable):
            log.warning(
                "provider unavailable",
                provider=message.provider,
                reason=str(refusal),
                correlation_id=message.correlation_id,
            )
        return next(outcome for kind, outcome in OUTCOMES if isinstance(refusal, kind)), None
    return AttemptOutcome.AUTHENTICATED, identity


async def _record(
    message: LinkLoginSubmitted, outcome: AttemptOutcome, identity: Identity | None, context: AuthContext
) -> Link:
    async with context.store.transaction() as transaction:
        link = await _existing(transaction, message.link_id)
        account = await _account(transaction, message, identity, context) if identity else None
        if account and account.status is AccountStatus.DISABLED:
            outcome, account = AttemptOutcome.REFUSED, None
        attempt = LoginAttempt(link_id=message.link_id, submission_id=message.submission_id, outcome=outcome)
        if not await transaction.insert_attempt(attempt):
            return link
        moved = await _moved(transaction, link, message, account, context)
        await transaction.swap_link(link, moved)
        await transaction.audit(_audit(f"login.{outcome}", moved, account))
        return moved


async def _moved(
    transaction: AuthTransaction,
    link: Link,
    message: LinkLoginSubmitted,
    account: Account | None,
    context: AuthContext,
) -> Link:
    if account is None:
        attempts = await transaction.attempts(link.link_id)
        failures = sum(attempt.outcome is AttemptOutcome.REFUSED for attempt in attempts)
        limit = context.settings.link.max_password_failures
        return rules.burn(link, failures=failures, limit=limit, now=transaction.now)
    try:
        return rules.authenticate(
            link, account_id=account.account_id, browser=message.browser, now=transaction.now
        )
    except errors.LinkFailed:
        # Somebody else was faster, or time ran out while the provider was asked: the page reads it from the link.
        return link


async def _account(
    transaction: AuthTransaction, message: LinkLoginSubmitted, identity: Identity, context: AuthContext
) -> Account:
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


async def _existing(transaction: AuthTransaction, link_id: str) -> Link:
    link = await transaction.link(link_id)
    if link is None:
        raise Retry("the link's row is not written yet")
    return link


async def _tell(message: LinkLoginSubmitted | LinkDeclineRequested, link: Link, context: AuthContext) -> None:
    changed = LinkChanged(
        service=link.service, link_id=link.link_id, state=link.state, correlation_id=message.correlation_id
    )
    await context.bus.answer(message.gateway, changed)


def _audit(kind: str, link: Link, account: Account | None = None) -> AuditEvent:
    return AuditEvent(
        kind=kind,
        service=link.service,
        link_id=link.link_id,
        account_id=account.account_id if account else None,
        household_id=link.household_id,
    )


HANDLERS: HandlerTable[AuthContext] = {
    LinkRequested: open_link,
    LinkVouched: link_vouched,
    AccountVouched: know_account,
    CodeEntered: enter_code,
    LinkLoginSubmitted: sign_in,
    LinkDeclineRequested: decline,
    HouseholdLoginSubmitted: household.sign_in,
    VisitUsed: Batched(household.note_used),
    VisitEnded: household.sign_out,
    EraseRequested: household.erase,
    SessionRequested: legacy.open_session,
    SessionUsed: Batched(legacy.note_used),
    UpgradeRequested: legacy.upgrade,
}
