"""Judges the credentials of households without tokens: for a session, or for their upgrade to tokens.

The provider is asked outside of any transaction, and a few at a time: after a firmware roll-out such households come in herds,
and a person who signs in on a page must not stand behind them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec
import structlog

from auth_worker.context import AuthContext
from auth_worker.providers.base import Identity
from auth_worker.providers.web import ProviderUnavailable
from auth_worker.refusals import audit_refusal
from auth_worker.tries import within_budget
from shared.boxes import LoginEvidence, UpgradeEvidence, evidence_identity
from shared.domain import account as accounts
from shared.domain import errors
from shared.domain import session as sessions
from shared.domain.account import Account
from shared.domain.upgrade import Upgrade
from shared.messages import (
    CredentialsJudged,
    GrantRequested,
    SessionRequested,
    SessionUsed,
    UpgradeRequested,
    Verdict,
)
from shared.sealing import unseal
from shared.settings import ServiceSettings
from shared.storage.base import AuthTransaction
from shared.storage.records import AuditEvent

ANONYMOUS = "anonymous"
"""Provider of the accounts that stand for households which never signed in to anything."""
WORD_SECONDS = 600
"""How long token_worker may act on an upgrade that was found good."""

VERDICTS: tuple[tuple[type[Exception], Verdict], ...] = (
    (errors.SignInRefused, Verdict.REFUSED),
    (errors.AccountDisabled, Verdict.DISABLED),
    (errors.AccountUnsupported, Verdict.UNSUPPORTED),
    (errors.SessionUnknown, Verdict.REAUTHORIZE),
    (errors.TokenRefused, Verdict.REAUTHORIZE),
    (errors.ReauthorizationNeeded, Verdict.REAUTHORIZE),
    (errors.TooManyTries, Verdict.LIMITED),
    (ProviderUnavailable, Verdict.UNAVAILABLE),
)
"""What keeps credentials from being accepted -> what the gateway is told."""

EvidenceT = TypeVar("EvidenceT")
log = structlog.get_logger(__name__)


async def open_session(message: SessionRequested, context: AuthContext) -> None:
    """Write a session for a name and a password that belong together."""
    async with context.store.transaction() as transaction:
        known = await transaction.session(message.session_hash)
    verdict = Verdict.ACCEPTED if known else await _judge(message, _open_session, context)
    await _answer(message, message.session_hash, verdict, context)


async def note_used(messages: Sequence[SessionUsed], context: AuthContext) -> None:
    """Record that sessions are in use."""
    async with context.store.transaction() as transaction:
        for message in messages:
            session = await transaction.session(message.session_hash)
            if session is not None:
                rules = context.settings.session_rules
                await transaction.swap_session(
                    session, sessions.used(session, rules=rules, now=transaction.now)
                )


async def upgrade(message: UpgradeRequested, context: AuthContext) -> None:
    """Find out whose the old credentials are, put it on record, and hand over to token_worker."""
    async with context.store.transaction() as transaction:
        known = await transaction.upgrade(message.request_id)
    verdict = Verdict.ACCEPTED if known else await _judge(message, _upgrade, context)
    if verdict is not Verdict.ACCEPTED:
        await _answer(message, message.request_id, verdict, context)
        return
    requested = GrantRequested(
        service=message.service,
        gateway=message.gateway,
        correlation_id=message.correlation_id,
        request_id=message.request_id,
    )
    await context.bus.publish([requested])


_Message = TypeVar("_Message", SessionRequested, UpgradeRequested)


async def _judge(
    message: _Message, accept: Callable[[_Message, AuthContext], Awaitable[None]], context: AuthContext
) -> Verdict:
    try:
        async with context.herd:
            await accept(message, context)
    except tuple(kind for kind, _ in VERDICTS) as refusal:
        verdict = next(verdict for kind, verdict in VERDICTS if isinstance(refusal, kind))
        log.info(
            "credentials not accepted",
            kind=message.kind,
            verdict=verdict,
            # Why a provider could not be asked is for whoever runs it; the other reasons say nothing more than the verdict.
            reason=str(refusal) if isinstance(refusal, ProviderUnavailable) else None,
            provider=message.provider,
            correlation_id=message.correlation_id,
        )
        await audit_refusal(message, verdict, context)
        return verdict
    return Verdict.ACCEPTED


async def _open_session(message: SessionRequested, context: AuthContext) -> None:
    evidence = _unsealed(message.evidence, LoginEvidence, "session", message.session_hash, context)
    identity = await _identity(evidence, message, message.session_hash, message.service, context)
    rules = context.settings.session_rules
    async with context.store.transaction() as transaction:
        account = await _account(transaction, identity, message, context)
        accounts.check_usable(account, tiers=_service(message, context).tiers)
        present = await transaction.sessions_of(
            service=message.service, account_id=account.account_id, household_id=message.household_id
        )
        for session in sessions.surplus(present, rules):
            await transaction.delete_session(session.session_hash)
        opened = sessions.opened(
            session_hash=message.session_hash,
            service=message.service,
            account_id=account.account_id,
            household_id=message.household_id,
            rules=rules,
            now=transaction.now,
        )
        if await transaction.insert_session(opened):
            await transaction.audit(_audit("session.opened", message, account))


async def _upgrade(message: UpgradeRequested, context: AuthContext) -> None:
    evidence = _unsealed(message.evidence, UpgradeEvidence, "upgrade", message.request_id, context)
    settings = _service(message, context)
    _check_allowed(evidence, settings)
    source = settings.upgrade_of or message.service
    identity = (
        await _identity(evidence.login, message, message.request_id, source, context)
        if evidence.login
        else None
    )
    async with context.store.transaction() as transaction:
        if identity:
            owner = await _account(transaction, identity, message, context)
        else:
            owner = await _owner(transaction, evidence, message, source, context)
        accounts.check_usable(owner, tiers=settings.tiers)
        old = context.verifier.verify(evidence.token, service=source) if evidence.token else None
        word = Upgrade(
            request_id=message.request_id,
            service=message.service,
            account_id=owner.account_id,
            household_id=message.household_id,
            old_grant_id=old.grant_id if old else None,
            old_family=old.family if old else None,
            expires_at=transaction.now + WORD_SECONDS,
        )
        if await transaction.insert_upgrade(word):
            await transaction.audit(_audit("upgrade.accepted", message, owner))


def _check_allowed(evidence: UpgradeEvidence, settings: ServiceSettings) -> None:
    """Refuse kinds of credentials that the service never had: a gateway that says otherwise is mistaken, or not ours."""
    if evidence.login:
        kinds = {"session_id", "stateless"}
    elif evidence.session_id:
        kinds = {"session_id"}
    else:
        kinds = {"device_link"} if evidence.token else {"anonymous"}
    if settings.auth != "link" or settings.upgrade != "automatic" or kinds.isdisjoint(settings.upgrade_from):
        raise errors.ReauthorizationNeeded


async def _owner(
    transaction: AuthTransaction,
    evidence: UpgradeEvidence,
    message: UpgradeRequested,
    source: str,
    context: AuthContext,
) -> Account:
    """Return the account, of the service that is asked, for credentials that need no provider."""
    if evidence.session_id:
        session_hash = sessions.hash_of(evidence.session_id, service=source)
        session = sessions.check_usable(await transaction.session(session_hash), now=transaction.now)
        return await _counterpart(transaction, session.account_id, message, context)
    if evidence.token:
        claims = context.verifier.verify(evidence.token, service=source)
        return await _counterpart(transaction, claims.account_id, message, context)
    household = Account(
        account_id=context.new_id(),
        service=message.service,
        provider=ANONYMOUS,
        subject=message.household_id,
        nickname="",
    )
    return await transaction.upsert_account(household)


async def _counterpart(
    transaction: AuthTransaction, account_id: str, message: UpgradeRequested, context: AuthContext
) -> Account:
    """Return the account of the same person in the service that is asked."""
    account = await transaction.account(account_id)
    if account is None:
        raise errors.ReauthorizationNeeded
    if account.service == message.service:
        return account
    # Disabled in the earlier service is disabled here as well.
    accounts.check_usable(account, tiers=())
    there = replace(account, account_id=context.new_id(), service=message.service)
    return await transaction.upsert_account(there)


async def _identity(
    evidence: LoginEvidence,
    message: SessionRequested | UpgradeRequested,
    request_id: str,
    service: str,
    context: AuthContext,
) -> Identity:
    provider = context.provider_of(service, message.provider)
    return await within_budget(
        lambda: provider.authenticate(evidence, service=service),
        try_id=request_id,
        service=service,
        counted=message.counted,
        context=context,
    )


async def _account(
    transaction: AuthTransaction,
    identity: Identity,
    message: SessionRequested | UpgradeRequested,
    context: AuthContext,
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


def _unsealed(
    box: bytes, kind: type[EvidenceT], purpose: str, request_id: str, context: AuthContext
) -> EvidenceT:
    private_keys = [key.secret for key in context.keys.box]
    content = unseal(box, private_keys=private_keys, bound_to=evidence_identity(purpose, request_id))
    return msgspec.json.decode(content, type=kind)


def _service(message: SessionRequested | UpgradeRequested, context: AuthContext) -> ServiceSettings:
    return context.settings.services[message.service]


async def _answer(
    message: SessionRequested | UpgradeRequested, request_id: str, verdict: Verdict, context: AuthContext
) -> None:
    judged = CredentialsJudged(
        service=message.service,
        request_id=request_id,
        verdict=verdict,
        correlation_id=message.correlation_id,
    )
    await context.bus.answer(message.gateway, judged)


def _audit(kind: str, message: SessionRequested | UpgradeRequested, account: Account) -> AuditEvent:
    return AuditEvent(
        kind=kind,
        service=message.service,
        account_id=account.account_id,
        household_id=message.household_id,
    )
