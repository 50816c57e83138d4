"""Accounts whose end somebody tells us: a provider by a logout token, the service by a signed request that the gateway has checked."""

import hashlib

import msgspec
import structlog

from auth_worker.context import AuthContext
from auth_worker.providers.base import RedirectProvider
from auth_worker.providers.web import ProviderUnavailable
from shared.boxes import EndEvidence, end_identity
from shared.domain import errors
from shared.domain import link as rules
from shared.domain.account import VOUCHED, Account
from shared.domain.revocation import Scope
from shared.messages import AccountEndJudged, AccountEndSubmitted, EndOutcome, TokenRevokeRequested
from shared.sealing import unseal
from shared.settling import Retry
from shared.storage.base import AuthTransaction
from shared.storage.lifecycle import ToldEnd
from shared.storage.records import AuditEvent

REMEMBERED_SECONDS = 2 * 3600
"""How long a message is known by its name; whatever takes one refuses older ones long before."""

log = structlog.get_logger(__name__)


class _Unclear(Exception):
    """The message is not genuine, or does not say whom it is about; the text is for the log."""


async def end(message: AccountEndSubmitted, context: AuthContext) -> None:
    """Judge the word that an account has ended, once, and ask for the end of its grants; a duplicate asks again."""
    try:
        told = await _told(message, context)
    except _Unclear as unclear:
        log.warning("account end refused", reason=str(unclear), correlation_id=message.correlation_id)
        await _tell(message, EndOutcome.REFUSED, context)
        return
    async with context.store.transaction() as transaction:
        at = await _first_told_at(transaction, told.event_id, message)
        ended = () if at is None else await _accounts(transaction, told, context)
        for account in ended:
            await _end(transaction, account, told.provider)
    revokes = [
        TokenRevokeRequested(
            service=account.service,
            correlation_id=message.correlation_id,
            scope=Scope.ACCOUNT,
            value=account.account_id,
            reason=f"told by {told.provider}",
            started_by=at,
        )
        for account in ended
    ]
    if revokes:
        await context.bus.publish(revokes)
    await _tell(message, EndOutcome.REPEATED if at is None else EndOutcome.TAKEN, context)


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account has ended."""

    provider: str
    subject: str
    event_id: str


async def _told(message: AccountEndSubmitted, context: AuthContext) -> _Told:
    box = unseal(
        message.evidence,
        private_keys=[key.secret for key in context.keys.box],
        bound_to=end_identity(message.request_id),
    )
    evidence = msgspec.json.decode(box, type=EndEvidence)
    if evidence.logout_token is not None:
        return await _logged_out(evidence.provider, evidence.logout_token, context)
    if evidence.subject is None:
        raise _Unclear("it names nobody")
    return _Told(provider=evidence.provider, subject=evidence.subject, event_id=evidence.event_id)


async def _logged_out(name: str, logout_token: str, context: AuthContext) -> _Told:
    provider = context.providers.get(name)
    takes = name in context.settings.account_events.backchannel_logout
    if not takes or not isinstance(provider, RedirectProvider):
        raise _Unclear(f"logout tokens of {name!r} are not taken; see account_events.backchannel_logout")
    try:
        said = await provider.logged_out(logout_token)
    except errors.TokenRefused as refused:
        raise _Unclear(str(refused)) from None
    except ProviderUnavailable as away:
        # Its keys cannot be had now. A provider tells it once, so we try again, for as long as the token may be believed.
        raise Retry(str(away)) from None
    if said.subject is None:
        raise _Unclear(
            "it names a session alone, which is not known here; have the provider send `sub` as well"
        )
    name_of_event = hashlib.sha256(f"logout\0{name}\0{said.token_id}".encode()).hexdigest()
    return _Told(provider=name, subject=said.subject, event_id=name_of_event)


async def _first_told_at(
    transaction: AuthTransaction, event_id: str, message: AccountEndSubmitted
) -> int | None:
    """Return when a message was taken, or None if it came in another request before."""
    told = ToldEnd(
        event_id=event_id,
        service=message.service,
        request_id=message.request_id,
        at=transaction.now,
        expires_at=transaction.now + REMEMBERED_SECONDS,
    )
    if await transaction.insert_told_end(told):
        return told.at
    earlier = await transaction.told_end(event_id)
    return earlier.at if earlier is not None and earlier.request_id == message.request_id else None


async def _accounts(transaction: AuthTransaction, told: _Told, context: AuthContext) -> tuple[Account, ...]:
    """Return the person's accounts: a provider's people may have one in each service."""
    found = [
        await transaction.account_of(service=service, provider=told.provider, subject=told.subject)
        for service in context.settings.services
        if told.provider in {VOUCHED, *context.settings.providers_of(service)}
    ]
    return tuple(account for account in found if account is not None)


async def _end(transaction: AuthTransaction, account: Account, provider: str) -> None:
    """Take away what would let the account live on by itself; its grants are token_worker's to end."""
    await transaction.delete_provider_tokens(account.account_id)
    await transaction.delete_account_check(account.account_id)
    await transaction.delete_sessions(account.account_id)
    for link in await transaction.signed_in_links(account.account_id):
        # Otherwise it would be allowed in a moment, and its grant be younger than this end.
        await transaction.swap_link(link, rules.fail(link, now=transaction.now))
    await transaction.audit(
        AuditEvent(
            kind="account.ended",
            service=account.service,
            account_id=account.account_id,
            detail={"told_by": provider},
        )
    )


async def _tell(message: AccountEndSubmitted, outcome: EndOutcome, context: AuthContext) -> None:
    judged = AccountEndJudged(
        service=message.service,
        request_id=message.request_id,
        outcome=outcome,
        correlation_id=message.correlation_id,
    )
    await context.bus.answer(message.gateway, judged)
