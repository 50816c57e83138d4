"""Whether a person is still there: asked at their provider, by one worker at a time, and never to the harm of who is there.

A provider may use up the refresh token that it is asked with, and give another one. So the row says, before anything is sent,
that a question is under way (`claim`), and that nobody knows what became of the token (`doubt`); both are taken back in the
transaction that stores the new one. Whoever finds doubt when they begin cannot tell "the person is gone" from "this token
was used up by a question whose answer got lost", and then nothing ends: docs/decisions/0014-asking-again.md.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

import structlog

from auth_worker.context import AuthContext
from auth_worker.providers.base import Gone, Identity, Rechecked, RedirectProvider
from auth_worker.providers.web import NothingDone, ProviderUnavailable
from shared.boxes import provider_tokens_identity
from shared.domain.account import Account, AccountStatus
from shared.domain.revocation import Scope
from shared.messages import AccountRecheckRequested, TokenRevokeRequested
from shared.sealing import SealError, seal, unseal
from shared.storage.base import AuthTransaction, Conflict, StoreUnavailable
from shared.storage.lifecycle import AccountCheck, Doubt
from shared.storage.providers import ProviderTokens
from shared.storage.records import AuditEvent

LEASE_SECONDS = 60
"""How long a question is under way at most; longer than a worker lets any handler run."""
LEFT_IN_PEACE_SECONDS = 900
"""How long a provider that did not answer is not asked again about the same person."""
STORE_AGAIN_SECONDS = (0.1, 0.3, 1.0, 2.0)
"""How often, and after how long, an answer is tried to be stored: it may hold the only token there is."""
REASON = "provider says gone"

log = structlog.get_logger(__name__)


@runtime_checkable
class AskedByName(Protocol):
    """An identity source that can be asked about a person without anything that the person has given."""

    async def recheck(self, subject: str) -> bool:
        """Tell whether a person is still there.

        Raises:
            ProviderUnavailable: it did not say.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What one worker asks, with the claim that lets it."""

    account: Account
    provider: RedirectProvider | AskedByName
    check: AccountCheck
    """As it was claimed."""
    doubt: Doubt
    """What was known of the tokens before they were claimed."""
    tokens: ProviderTokens | None
    asked_at: int
    """By the database's clock."""
    since: float
    """The same by the monotonic clock."""
    every: int
    """Seconds for which an answer is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """An account that is known to be gone: whoever links it again does so after *at*."""

    account: Account
    at: int


async def recheck(message: AccountRecheckRequested, context: AuthContext) -> None:
    """Ask whether a person is still there, unless that was done lately, and end their grants if they are not."""
    async with context.store.transaction() as transaction:
        found = await _claimed(transaction, message.account_id, context)
    if isinstance(found, _Question):
        found = await _answered(found, context)
    if found is not None:
        revoke = TokenRevokeRequested(
            service=found.account.service,
            correlation_id=message.correlation_id,
            scope=Scope.ACCOUNT,
            value=found.account.account_id,
            reason=REASON,
            started_by=found.at,
        )
        await context.bus.publish([revoke])


async def signed_in(transaction: AuthTransaction, account: Account, *, brought_tokens: bool) -> None:
    """Note that a person has just proved to be there; without new tokens, what is not known of the old ones stays so."""
    check = await transaction.account_check(account.account_id)
    if check is not None and (brought_tokens or check.gone_at is not None):
        await transaction.delete_account_check(account.account_id)


async def _claimed(
    transaction: AuthTransaction, account_id: str, context: AuthContext
) -> _Question | _Ended | None:
    account = await transaction.account(account_id)
    provider = _provider(account, context) if account else None
    if account is None or provider is None or account.status is AccountStatus.DISABLED:
        return None
    every = context.settings.recheck[account.provider].every * 3600
    check = await transaction.account_check(account_id)
    tokens = await transaction.provider_tokens(account_id)
    needs_tokens = isinstance(provider, RedirectProvider)
    is_due = transaction.now >= _due_at(check, tokens, every)
    if check is not None and check.gone_at is not None and (needs_tokens or not is_due):
        # Known, and perhaps not told: whoever stored it may have died over telling.
        return _Ended(account=account, at=check.gone_at)
    if not is_due or (needs_tokens and tokens is None):
        return None
    return _Question(
        account=account,
        provider=provider,
        check=await _claim(transaction, account, check, needs_tokens=needs_tokens, context=context),
        doubt=check.doubt if check is not None else Doubt.NONE,
        tokens=tokens if needs_tokens else None,
        asked_at=transaction.now,
        since=context.clock.monotonic(),
        every=every,
    )


def _due_at(check: AccountCheck | None, tokens: ProviderTokens | None, every: int) -> int:
    if check is not None:
        return check.next_at
    return tokens.checked_at + every if tokens is not None else 0


async def _claim(
    transaction: AuthTransaction,
    account: Account,
    check: AccountCheck | None,
    *,
    needs_tokens: bool,
    context: AuthContext,
) -> AccountCheck:
    old = check or AccountCheck(account_id=account.account_id, service=account.service, next_at=0, version=0)
    claimed = replace(
        old,
        claim=context.new_id(),
        next_at=transaction.now + LEASE_SECONDS,
        doubt=Doubt.OPEN if needs_tokens else Doubt.NONE,
        version=old.version + 1,
    )
    if check is not None:
        await transaction.swap_account_check(check, claimed)
    elif not await transaction.insert_account_check(claimed):
        raise Conflict("somebody else is asking about this account")
    return claimed


def _provider(account: Account, context: AuthContext) -> RedirectProvider | AskedByName | None:
    """Return whom to ask about an account, if the settings want that and it can be done."""
    if account.provider not in context.settings.recheck:
        return None
    try:
        provider = context.provider_of(account.service, account.provider)
    except ProviderUnavailable:
        return None
    return provider if isinstance(provider, RedirectProvider | AskedByName) else None


async def _answered(question: _Question, context: AuthContext) -> _Ended | None:
    """Ask, store the answer, and return the account if it has ended."""
    try:
        # Outside of any transaction: it may be slow.
        answer = await _ask(question, context)
    except ProviderUnavailable as away:
        log.warning("person not looked up", provider=question.account.provider, reason=str(away))
        doubt = question.doubt if isinstance(away, NothingDone) else question.check.doubt
        return await _stored(partial(_leave, question, doubt=doubt), context)
    if isinstance(answer, Rechecked):
        return await _stored(partial(_still_there, question, answer, context=context), context)
    return await _stored(partial(_gone, question, answer), context)


async def _ask(question: _Question, context: AuthContext) -> Rechecked | Gone:
    provider, tokens = question.provider, question.tokens
    if context.clock.monotonic() - question.since > LEASE_SECONDS / 2:
        # The process was stopped for a while, or starved: somebody else may hold the claim by now.
        raise NothingDone("too late to ask on this claim")
    if isinstance(provider, RedirectProvider):
        assert tokens is not None  # nothing is claimed without
        return await provider.recheck(_opened(tokens, context))
    is_there = await provider.recheck(question.account.subject)
    return Rechecked(tokens=b"") if is_there else Gone(reason="the provider does not know them any more")


def _opened(tokens: ProviderTokens, context: AuthContext) -> bytes:
    try:
        return unseal(
            tokens.sealed,
            private_keys=[key.secret for key in context.keys.box],
            bound_to=provider_tokens_identity(tokens.account_id),
        )
    except SealError as error:
        raise NothingDone(
            f"the kept tokens: {error}; keep the earlier key of auth_worker until all have signed in"
        ) from None


async def _stored(
    store: Callable[[AuthTransaction], Awaitable[_Ended | None]], context: AuthContext
) -> _Ended | None:
    """Store an answer, again and again for a few seconds: handing the event back would lose it."""
    for seconds in STORE_AGAIN_SECONDS:
        try:
            return await _stored_once(store, context)
        except (StoreUnavailable, Conflict):
            await asyncio.sleep(seconds)
    return await _stored_once(store, context)


async def _stored_once(
    store: Callable[[AuthTransaction], Awaitable[_Ended | None]], context: AuthContext
) -> _Ended | None:
    async with context.store.transaction() as transaction:
        return await store(transaction)


async def _leave(question: _Question, transaction: AuthTransaction, *, doubt: Doubt) -> None:
    """Give the claim back: nothing was said, so nothing changes."""
    check = await _own_check(transaction, question)
    if check is not None:
        left = replace(
            check,
            claim=None,
            next_at=transaction.now + LEFT_IN_PEACE_SECONDS,
            doubt=doubt,
            version=check.version + 1,
        )
        await transaction.swap_account_check(check, left)


async def _still_there(
    question: _Question, answer: Rechecked, transaction: AuthTransaction, *, context: AuthContext
) -> None:
    if question.tokens is not None:
        await _keep(question, question.tokens, answer, transaction, context)
    check = await _own_check(transaction, question)
    if check is not None:
        # A question without an end may still reach the provider, which then takes both tokens for stolen.
        doubt = Doubt.FADING if question.doubt is Doubt.OPEN else Doubt.NONE
        await _close(transaction, check, next_at=transaction.now + question.every, doubt=doubt)
        await _describe(question.account, answer.identity, transaction)


async def _keep(
    question: _Question,
    asked_with: ProviderTokens,
    answer: Rechecked,
    transaction: AuthTransaction,
    context: AuthContext,
) -> None:
    """Store the tokens of an answer, unless somebody has brought newer ones by signing in."""
    account = question.account
    sealed = seal(
        answer.tokens,
        recipient=context.public_keys.auth_worker_box[0].public,
        bound_to=provider_tokens_identity(account.account_id),
    )
    kept = await transaction.provider_tokens(account.account_id)
    if kept == asked_with:
        renewed = replace(kept, sealed=sealed, checked_at=transaction.now, version=kept.version + 1)
        await transaction.swap_provider_tokens(kept, renewed)
        return
    check = await transaction.account_check(account.account_id)
    if kept is None and check is not None and check.gone_at is None:
        # We were away for longer than the lease, and somebody else has given up the token that we had used up.
        await transaction.put_provider_tokens(
            account_id=account.account_id, service=account.service, sealed=sealed
        )
        doubtful = replace(check, doubt=Doubt.FADING, version=check.version + 1)
        await transaction.swap_account_check(check, doubtful)


async def _gone(question: _Question, answer: Gone, transaction: AuthTransaction) -> _Ended | None:
    check, account = await _own_check(transaction, question), question.account
    kept = await transaction.provider_tokens(account.account_id)
    if check is None:
        # Somebody has signed in meanwhile, or it has ended already: this answer is about the past.
        return None
    next_at = transaction.now + question.every
    if question.tokens is not None and kept != question.tokens:
        # Whoever had the claim before us was not dead, and has newer tokens: "no" was about ours.
        await _close(transaction, check, next_at=next_at, doubt=Doubt.FADING)
        return None
    await transaction.delete_provider_tokens(account.account_id)
    if question.doubt is not Doubt.NONE:
        log.warning("person not looked up", provider=account.provider, reason="an earlier answer was lost")
        await _close(transaction, check, next_at=next_at)
        await _audit(transaction, "account.recheck_unknown", account, answer.reason)
        return None
    await transaction.delete_sessions(account.account_id)
    await _close(transaction, check, next_at=next_at, gone_at=question.asked_at)
    await _audit(transaction, "account.gone", account, answer.reason)
    return _Ended(account=account, at=question.asked_at)


async def _own_check(transaction: AuthTransaction, question: _Question) -> AccountCheck | None:
    """Return the check as it is, if it is still ours to write."""
    check = await transaction.account_check(question.account.account_id)
    return check if check is not None and check.claim == question.check.claim else None


async def _close(
    transaction: AuthTransaction,
    check: AccountCheck,
    *,
    next_at: int,
    gone_at: int | None = None,
    doubt: Doubt = Doubt.NONE,
) -> None:
    closed = replace(
        check, claim=None, next_at=next_at, doubt=doubt, gone_at=gone_at, version=check.version + 1
    )
    await transaction.swap_account_check(check, closed)


async def _describe(account: Account, identity: Identity | None, transaction: AuthTransaction) -> None:
    """Bring an account up to date with what its provider says of the person now."""
    if identity is not None and identity.subject == account.subject:
        described = replace(account, nickname=identity.nickname[:32], tier=identity.tier)
        await transaction.upsert_account(described)


async def _audit(transaction: AuthTransaction, kind: str, account: Account, reason: str) -> None:
    event = AuditEvent(
        kind=kind, service=account.service, account_id=account.account_id, detail={"reason": reason[:200]}
    )
    await transaction.audit(event)
