"""Links that the service's own app allows, with a person's access token or on the word of the back end."""

import msgspec
import structlog

from auth_worker import recheck
from auth_worker.context import AuthContext
from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from shared.boxes import AppEvidence, evidence_identity
from shared.domain import errors
from shared.domain import link as rules
from shared.domain.account import VOUCHED, Account, AccountStatus
from shared.domain.link import Link, LinkState, app_of
from shared.messages import LinkApprovalSubmitted, LinkApproved, LinkChanged
from shared.sealing import unseal
from shared.settling import Retry
from shared.storage.base import AuthTransaction
from shared.storage.records import AttemptOutcome, AuditEvent, LoginAttempt

_OPEN = {LinkState.REQUESTED, LinkState.AUTHENTICATED, LinkState.LINKED}
"""Where evidence is still looked at: on a linked one, whoever asks again gets the same answer."""

log = structlog.get_logger(__name__)


async def approve(message: LinkApprovalSubmitted, context: AuthContext) -> None:
    """Judge the evidence once; if it is good, sign in with it and have the token minted, which a duplicate asks for again."""
    async with context.store.transaction() as transaction:
        link = await _existing(transaction, message.link_id)
        attempts = await transaction.attempts(message.link_id)
        is_open = link.state_at(transaction.now) in _OPEN
    outcome = {attempt.submission_id: attempt.outcome for attempt in attempts}.get(message.submission_id)
    if outcome is None and is_open:
        # The issuer of the token is asked outside of any transaction: it may be slow.
        judged, identity = await _judge(message, context)
        link, outcome = await _record(message, judged, identity, context)
    if outcome is AttemptOutcome.AUTHENTICATED and link.browser is not None:
        # The app has asked the person, so nobody is asked again here.
        approved = LinkApproved(
            service=link.service,
            gateway=message.gateway,
            correlation_id=message.correlation_id,
            link_id=link.link_id,
            browser=link.browser,
        )
        await context.bus.publish([approved])
        return
    changed = LinkChanged(
        service=link.service, link_id=link.link_id, state=link.state, correlation_id=message.correlation_id
    )
    await context.bus.answer(message.gateway, changed)


async def _judge(
    message: LinkApprovalSubmitted, context: AuthContext
) -> tuple[AttemptOutcome, Identity | None]:
    box = unseal(
        message.evidence,
        private_keys=[key.secret for key in context.keys.box],
        bound_to=evidence_identity(message.link_id, message.submission_id),
    )
    evidence = msgspec.json.decode(box, type=AppEvidence)
    try:
        return AttemptOutcome.AUTHENTICATED, await _identity(evidence, message.service, context)
    except (errors.SignInRefused, ProviderUnavailable) as refusal:
        log.info("app not believed", reason=str(refusal), correlation_id=message.correlation_id)
        is_refused = isinstance(refusal, errors.SignInRefused)
        return AttemptOutcome.REFUSED if is_refused else AttemptOutcome.UNAVAILABLE, None


async def _identity(evidence: AppEvidence, service: str, context: AuthContext) -> Identity:
    """Return whom the evidence names; without a nickname where it tells none."""
    if evidence.vouched is not None:
        return Identity(subject=evidence.vouched.subject, nickname=evidence.vouched.nickname or "")
    verifier = context.app_tokens.get(service)
    if verifier is None or evidence.token is None:
        raise ProviderUnavailable(
            f"services.{service}.app says no way to verify access tokens; gateway and auth_worker need the same settings"
        )
    return await verifier.identity(evidence.token)


async def _record(
    message: LinkApprovalSubmitted, outcome: AttemptOutcome, identity: Identity | None, context: AuthContext
) -> tuple[Link, AttemptOutcome]:
    """Write down how the evidence was judged, and move the link accordingly."""
    async with context.store.transaction() as transaction:
        link = await _existing(transaction, message.link_id)
        account = await _account(transaction, message.service, identity, context) if identity else None
        if account is not None and account.status is AccountStatus.DISABLED:
            outcome, moved = AttemptOutcome.NOT_ALLOWED, link
        elif account is not None:
            outcome, moved = _signed_in(link, account, transaction.now)
            await recheck.signed_in(transaction, account, brought_tokens=False)
        else:
            moved = link
        attempt = LoginAttempt(link_id=link.link_id, submission_id=message.submission_id, outcome=outcome)
        if not await transaction.insert_attempt(attempt):
            raise Retry("somebody else is judging the same submission")
        if outcome is AttemptOutcome.REFUSED:
            moved = await _burnt(transaction, link, context)
        await transaction.swap_link(link, moved)
        await transaction.audit(
            AuditEvent(
                kind=f"app.{outcome}",
                service=link.service,
                link_id=link.link_id,
                account_id=account.account_id if account else None,
                household_id=link.household_id,
            )
        )
        return moved, outcome


def _signed_in(link: Link, account: Account, now: int) -> tuple[AttemptOutcome, Link]:
    """Return how good evidence of an account ends on a link, and the link as it is then."""
    app = app_of(account.account_id)
    if link.state is LinkState.LINKED and link.browser == app:
        return AttemptOutcome.AUTHENTICATED, link
    try:
        moved = rules.authenticate(link, account_id=account.account_id, browser=app, now=now)
    except errors.LinkFailed:
        return AttemptOutcome.TAKEN, link
    return AttemptOutcome.AUTHENTICATED, moved


async def _burnt(transaction: AuthTransaction, link: Link, context: AuthContext) -> Link:
    # They count like wrong passwords: not since a token could be guessed, but so that the issuer is not asked for ever.
    attempts = await transaction.attempts(link.link_id)
    failures = sum(attempt.outcome is AttemptOutcome.REFUSED for attempt in attempts)
    return rules.burn(
        link, failures=failures, limit=context.settings.link.max_password_failures, now=transaction.now
    )


async def _account(
    transaction: AuthTransaction, service: str, identity: Identity, context: AuthContext
) -> Account:
    settings = context.settings.services[service]
    provider = settings.app.provider if settings.app else VOUCHED
    known = await transaction.account_of(service=service, provider=provider, subject=identity.subject)
    # Sonos shows the nickname beside the service's name, so some name has to stand there.
    nickname = identity.nickname or (known.nickname if known else settings.title)
    return await transaction.upsert_account(
        Account(
            account_id=context.new_id(),
            service=service,
            provider=provider,
            subject=identity.subject,
            nickname=nickname[:32],
            # Neither tokens nor back ends tell it here; what the provider said in a browser stays.
            tier=known.tier if known else None,
        )
    )


async def _existing(transaction: AuthTransaction, link_id: str) -> Link:
    link = await transaction.link(link_id)
    if link is None:
        raise Retry("the link's row is not written yet")
    return link
