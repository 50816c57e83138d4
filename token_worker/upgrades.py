"""Gives a pair for old credentials, on the word of auth_worker."""

from shared.boxes import upgrade_delivery_id
from shared.domain import account as accounts
from shared.domain import errors
from shared.domain import grant as grants
from shared.domain.account import Account
from shared.domain.grant import Grant
from shared.domain.upgrade import Upgrade
from shared.messages import CredentialsJudged, GrantRequested, Verdict
from shared.storage.base import TokenTransaction
from shared.storage.records import AuditEvent
from token_worker.context import TokenContext
from token_worker.deliveries import DELIVERY_SECONDS, sealed


async def issue(message: GrantRequested, context: TokenContext) -> None:
    """Deliver the pair of the household's grant, made for it if there was none; each time the same."""
    async with context.store.transaction() as transaction:
        verdict = await _verdict(transaction, message.request_id, context)
    judged = CredentialsJudged(
        service=message.service,
        request_id=message.request_id,
        verdict=verdict,
        correlation_id=message.correlation_id,
    )
    await context.bus.answer(message.gateway, judged)


async def _verdict(transaction: TokenTransaction, request_id: str, context: TokenContext) -> Verdict:
    upgrade = await transaction.upgrade(request_id)
    if upgrade is None or transaction.now >= upgrade.expires_at:
        # The word was there before this event: it came too late, and whoever still wants the pair asks again.
        return Verdict.UNAVAILABLE
    account = await transaction.account(upgrade.account_id)
    if account is None:
        return Verdict.REAUTHORIZE
    try:
        accounts.check_usable(account, tiers=())
        await _check_old_grant(transaction, upgrade)
        grant = await _grant(transaction, upgrade, context)
    except errors.AccountDisabled:
        return Verdict.DISABLED
    except errors.ReauthorizationNeeded:
        return Verdict.REAUTHORIZE
    await _deliver(transaction, upgrade, grant, account, context)
    return Verdict.ACCEPTED


async def _check_old_grant(transaction: TokenTransaction, upgrade: Upgrade) -> None:
    """Refuse a genuine token that was revoked: auth_worker checks signatures, and cannot see grants."""
    if upgrade.old_grant_id is None or upgrade.old_family is None:
        return
    old = await transaction.grant(upgrade.old_grant_id)
    grants.check_usable(old, family=upgrade.old_family)


async def _grant(transaction: TokenTransaction, upgrade: Upgrade, context: TokenContext) -> Grant:
    existing = await transaction.grant_of(
        service=upgrade.service, account_id=upgrade.account_id, household_id=upgrade.household_id
    )
    if existing is not None:
        current = grants.upgrade(
            existing,
            keys=context.mint.current,
            lifetimes=context.settings.lifetimes,
            shortening=context.fraction(),
            now=transaction.now,
        )
        await transaction.swap_grant(existing, current)
        return current
    grant = grants.first(
        grant_id=context.new_id(),
        service=upgrade.service,
        account_id=upgrade.account_id,
        household_id=upgrade.household_id,
        keys=context.mint.current,
        lifetimes=context.settings.lifetimes,
        shortening=context.fraction(),
        now=transaction.now,
    )
    await transaction.insert_grant(grant)
    await transaction.audit(
        AuditEvent(
            kind="grant.upgraded",
            service=grant.service,
            account_id=grant.account_id,
            grant_id=grant.grant_id,
            household_id=grant.household_id,
        )
    )
    return grant


async def _deliver(
    transaction: TokenTransaction, upgrade: Upgrade, grant: Grant, account: Account, context: TokenContext
) -> None:
    delivery_id = upgrade_delivery_id(upgrade.request_id)
    await transaction.put_delivery(
        delivery_id=delivery_id,
        service=grant.service,
        sealed=sealed(delivery_id, grant, account, context),
        expires_at=transaction.now + DELIVERY_SECONDS,
    )
