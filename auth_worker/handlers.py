"""What auth_worker does with each event; `HANDLERS` at the end is the table of contents."""

from dataclasses import dataclass

import structlog

from auth_worker import app_approval, endings, household, legacy, recheck, webhook
from auth_worker.codes import enter_code
from auth_worker.context import AuthContext
from auth_worker.new_links import audit_of, open_links
from auth_worker.observing import note_observed
from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from auth_worker.tries import within_budget
from auth_worker.vouching import know_account, link_vouched
from shared.boxes import CodeEvidence, evidence_from, evidence_identity, provider_tokens_identity
from shared.domain import errors
from shared.domain import link as rules
from shared.domain.account import Account, AccountStatus
from shared.domain.link import Link, LinkState
from shared.messages import (
    AccountEndSubmitted,
    AccountRecheckRequested,
    AccountVouched,
    CodeEntered,
    EraseRequested,
    HouseholdLoginSubmitted,
    LinkApprovalSubmitted,
    LinkChanged,
    LinkDeclineRequested,
    LinkLoginSubmitted,
    LinkObserved,
    LinkRequested,
    LinkVouched,
    NoticeDue,
    SessionRequested,
    SessionUsed,
    UpgradeRequested,
    VisitEnded,
    VisitUsed,
)
from shared.sealing import seal, unseal
from shared.settling import Retry
from shared.storage.base import AuthTransaction
from shared.storage.records import AttemptOutcome, LoginAttempt
from shared.worker import Batched, HandlerTable

OUTCOMES: tuple[tuple[type[Exception], AttemptOutcome], ...] = (
    (errors.SignInRefused, AttemptOutcome.REFUSED),
    (errors.SignInIncomplete, AttemptOutcome.INCOMPLETE),
    (errors.AccountDisabled, AttemptOutcome.NOT_ALLOWED),
    (errors.AccountUnsupported, AttemptOutcome.NOT_ALLOWED),
    (ProviderUnavailable, AttemptOutcome.UNAVAILABLE),
    (errors.TooManyTries, AttemptOutcome.LIMITED),
)
"""What keeps evidence from being accepted -> how the attempt is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How evidence was judged."""

    outcome: AttemptOutcome
    identity: Identity | None = None
    wait: int = 0
    """Seconds after which one more may be tried, if too many were."""


log = structlog.get_logger(__name__)


async def sign_in(message: LinkLoginSubmitted, context: AuthContext) -> None:
    """Judge the evidence once, and move the link if it is good."""
    async with context.store.transaction() as transaction:
        link = await _existing(transaction, message.link_id)
        judged = {attempt.submission_id for attempt in await transaction.attempts(message.link_id)}
        over = link.state_at(transaction.now) not in {LinkState.REQUESTED, LinkState.AUTHENTICATED}
    if not over and message.submission_id not in judged:
        # The provider is asked outside of any transaction: it may be slow.
        link = await _record(message, await _judge(message, context), context)
    await _tell(message, link, context)


async def decline(message: LinkDeclineRequested, context: AuthContext) -> None:
    """End a link because the person said no."""
    async with context.store.transaction() as transaction:
        link = await _existing(transaction, message.link_id)
        declined = rules.decline(link, browser=message.browser, now=transaction.now)
        await transaction.swap_link(link, declined)
        if declined is not link:
            await transaction.audit(audit_of("link.declined", declined))
    await _tell(message, declined, context)


async def _judge(message: LinkLoginSubmitted, context: AuthContext) -> Judged:
    box = unseal(
        message.evidence,
        private_keys=[key.secret for key in context.keys.box],
        bound_to=evidence_identity(message.link_id, message.submission_id),
    )
    evidence = evidence_from(box)
    try:
        if isinstance(evidence, CodeEvidence):
            # A code of the provider's can be guessed by nobody, so it counts against nobody.
            redirect = context.redirect_provider_of(message.service, message.provider)
            identity = await redirect.exchange(evidence)
        else:
            provider = context.provider_of(message.service, message.provider)
            identity = await within_budget(
                lambda: provider.authenticate(evidence, service=message.service),
                try_id=f"{message.link_id} {message.submission_id}",
                service=message.service,
                counted=message.counted,
                context=context,
            )
    except tuple(kind for kind, _ in OUTCOMES) as refusal:
        if isinstance(refusal, ProviderUnavailable | errors.SignInIncomplete):
            log.warning(
                "provider unavailable" if isinstance(refusal, ProviderUnavailable) else "sign-in incomplete",
                provider=message.provider,
                reason=str(refusal),
                correlation_id=message.correlation_id,
            )
        outcome = next(outcome for kind, outcome in OUTCOMES if isinstance(refusal, kind))
        return Judged(outcome=outcome, wait=getattr(refusal, "wait", 0))
    return Judged(outcome=AttemptOutcome.AUTHENTICATED, identity=identity)


async def _record(message: LinkLoginSubmitted, judged: Judged, context: AuthContext) -> Link:
    outcome, identity = judged.outcome, judged.identity
    async with context.store.transaction() as transaction:
        link = await _existing(transaction, message.link_id)
        account = await _account(transaction, message, identity, context) if identity else None
        if account and account.status is AccountStatus.DISABLED:
            # Who typed a password is told nothing more than that; who comes from a provider has no password to correct.
            typed = context.settings.providers[message.provider].takes_password
            outcome, account = AttemptOutcome.REFUSED if typed else AttemptOutcome.NOT_ALLOWED, None
        attempt = LoginAttempt(link_id=message.link_id, submission_id=message.submission_id, outcome=outcome)
        if not await transaction.insert_attempt(attempt):
            return link
        if account and identity and identity.tokens:
            await _keep_tokens(transaction, account, identity.tokens, context)
        if account:
            await recheck.signed_in(transaction, account, brought_tokens=bool(identity and identity.tokens))
        moved = await _moved(transaction, link, message, account, context)
        await transaction.swap_link(link, moved)
        detail: dict[str, str | int] = {"provider": message.provider}
        detail |= {"wait": judged.wait} if judged.wait else {}
        is_taken = account and (moved.account_id, moved.browser) != (account.account_id, message.browser)
        detail |= {"taken": True} if is_taken else {}
        await transaction.audit(audit_of(f"login.{outcome}", moved, account, **detail))
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


async def _keep_tokens(
    transaction: AuthTransaction, account: Account, tokens: bytes, context: AuthContext
) -> None:
    sealed = seal(
        tokens,
        recipient=context.public_keys.auth_worker_box[0].public,
        bound_to=provider_tokens_identity(account.account_id),
    )
    await transaction.put_provider_tokens(
        account_id=account.account_id, service=account.service, sealed=sealed
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


HANDLERS: HandlerTable[AuthContext] = {
    LinkRequested: Batched(open_links),
    LinkVouched: link_vouched,
    AccountVouched: know_account,
    CodeEntered: enter_code,
    LinkLoginSubmitted: sign_in,
    LinkApprovalSubmitted: app_approval.approve,
    AccountRecheckRequested: recheck.recheck,
    AccountEndSubmitted: endings.end,
    LinkDeclineRequested: decline,
    HouseholdLoginSubmitted: household.sign_in,
    VisitUsed: Batched(household.note_used),
    VisitEnded: household.sign_out,
    EraseRequested: household.erase,
    SessionRequested: legacy.open_session,
    SessionUsed: Batched(legacy.note_used),
    LinkObserved: Batched(note_observed),
    UpgradeRequested: legacy.upgrade,
    NoticeDue: webhook.deliver,
}
