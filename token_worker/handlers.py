"""What token_worker does with each event; `HANDLERS` at the end is the table of contents."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from shared.bus.base import ALL_GATEWAYS
from shared.domain import errors
from shared.domain import grant as grants
from shared.domain import link as links
from shared.domain.account import AccountStatus
from shared.domain.grant import Grant
from shared.domain.link import Link, LinkState
from shared.domain.revocation import Limits, Selection
from shared.messages import (
    EraseApproved,
    Event,
    FamilyEnded,
    GrantRequested,
    LinkApproved,
    LinkChanged,
    NoticeDue,
    TokenRefreshed,
    TokenRefreshRequested,
    TokenRevokeRequested,
    TokenSeen,
    VisitChanged,
)
from shared.settling import Retry
from shared.storage.base import TokenTransaction
from shared.storage.records import AuditEvent, Changes
from shared.storage.visits import Origin
from shared.worker import Batched, HandlerTable
from token_worker import notices, rechecks, revocation, upgrades
from token_worker.context import TokenContext
from token_worker.deliveries import sealed
from token_worker.refreshing import Refreshing, audited


async def mint(message: LinkApproved, context: TokenContext) -> None:
    """Turn an approved link into a grant and a delivery, in one transaction."""
    async with context.store.transaction() as transaction:
        link = await transaction.link(message.link_id)
        if link is None:
            raise Retry("the link's row is not written yet")
        linked = await _link(transaction, link, message, context)
        grant = await transaction.grant(linked.grant_id) if linked.grant_id else None
        is_linked = linked.state is LinkState.LINKED
        kept = notices.kept(context.settings) if is_linked else None
        told = notices.linked(linked, grant, at=transaction.now, kept=kept) if grant else []
        for notice in told:
            await transaction.insert_notice(notice)
    changed = LinkChanged(
        service=linked.service,
        link_id=linked.link_id,
        state=linked.state,
        correlation_id=message.correlation_id,
    )
    await context.bus.answer(message.gateway, changed)
    if grant is not None and grant.family > 1:
        await _tell_ended(grant, grant.family - 1, context)
    await _publish(notices.due(told, message.correlation_id), context)


async def refresh(messages: Sequence[TokenRefreshRequested], context: TokenContext) -> None:
    """Judge presented tokens, write all that comes of it at once, and answer."""
    holders = await context.store.holders({message.grant_id for message in messages})
    refreshing = Refreshing(holders, context=context)
    answers: defaultdict[str, list[Event]] = defaultdict(list)
    for message in messages:
        refreshed = TokenRefreshed(
            service=message.service,
            request_id=message.request_id,
            outcome=refreshing.judge(message),
            correlation_id=message.correlation_id,
        )
        answers[message.gateway].append(refreshed)
    if not refreshing.changes.is_empty:
        await context.store.write(refreshing.changes)
    answers[ALL_GATEWAYS] += [_ended(grant, grant.family) for grant in refreshing.ended]
    # At the same time, so that they go as few messages.
    await asyncio.gather(*(context.bus.answer(to, *events) for to, events in answers.items() if events))
    await _publish(notices.due(refreshing.changes.notices), context)
    await rechecks.ask(refreshing.refreshed, context)


async def revoke(message: TokenRevokeRequested, context: TokenContext) -> None:
    """End one page of grants, tell all gateways, and send the rest on as an event of its own."""
    ended = await revocation.end_page(
        context.store,
        Selection(service=message.service, scope=message.scope, value=message.value),
        Limits(family=message.family, started_by=message.started_by),
        reason=message.reason,
        after=message.after,
        notices_kept=notices.kept(context.settings),
    )
    for grant in ended.grants:
        await _tell_ended(grant, grant.family, context)
    await _publish(notices.due(ended.notices, message.correlation_id), context)
    if ended.next_after is not None:
        await context.bus.publish([msgspec.structs.replace(message, after=ended.next_after)])


async def erase(message: EraseApproved, context: TokenContext) -> None:
    """Delete an account with all that hangs on it, and tell all gateways that its tokens are over."""
    gone = await revocation.erase(
        context.store,
        service=message.service,
        account_id=message.account_id,
        notices_kept=notices.kept(context.settings),
    )
    for grant in gone.grants:
        await _tell_ended(grant, grant.family, context)
    changed = VisitChanged(
        service=message.service, visit_hash=message.visit_hash, correlation_id=message.correlation_id
    )
    await context.bus.answer(message.gateway, changed)
    await _publish(notices.due(gone.notices, message.correlation_id), context)


async def note_seen(messages: Sequence[TokenSeen], context: TokenContext) -> None:
    """Record which generations are in use."""
    holders = await context.store.holders({message.grant_id for message in messages})
    before = {grant_id: grant for grant_id, (grant, _) in holders.found.items()}
    after = dict(before)
    for message in messages:
        grant = after.get(message.grant_id)
        if grant is not None:
            after[message.grant_id] = grants.seen(
                grant, family=message.family, generation=message.generation, now=holders.now
            )
    swaps = [(old, after[grant_id]) for grant_id, old in before.items() if after[grant_id] is not old]
    if swaps:
        await context.store.write(Changes(swaps=swaps))


async def _link(
    transaction: TokenTransaction, link: Link, message: LinkApproved, context: TokenContext
) -> Link:
    account = await transaction.account(link.account_id) if link.account_id else None
    if account is not None and account.status is AccountStatus.DISABLED:
        return await _refuse(transaction, link)
    existing = await _grant_of(transaction, link)
    grant_id = existing.grant_id if existing else context.new_id()
    linked = links.approve(link, browser=message.browser, grant_id=grant_id, now=transaction.now)
    if linked is link:
        return link
    if account is None:
        raise errors.LinkPending
    grant = _minted(existing, linked, grant_id, transaction.now, context)
    if existing is None:
        await transaction.insert_grant(grant)
    else:
        await transaction.swap_grant(existing, grant)
    await transaction.put_origin(
        Origin(
            grant_id=grant_id,
            service=link.service,
            device=link.device,
            network=message.network,
            link_id=link.link_id,
        )
    )
    await transaction.swap_link(link, linked)
    await transaction.put_delivery(
        delivery_id=link.link_id,
        service=link.service,
        sealed=sealed(link.link_id, grant, account, context),
        expires_at=link.expires_at,
    )
    await transaction.audit(audited("link.linked", grant, link_id=link.link_id))
    return linked


async def _refuse(transaction: TokenTransaction, link: Link) -> Link:
    """End the link of an account that was disabled after it had signed in."""
    failed = links.fail(link, now=transaction.now)
    await transaction.swap_link(link, failed)
    if failed is not link:
        refused = AuditEvent(
            kind="link.not_allowed",
            service=link.service,
            link_id=link.link_id,
            account_id=link.account_id,
            household_id=link.household_id,
        )
        await transaction.audit(refused)
    return failed


async def _grant_of(transaction: TokenTransaction, link: Link) -> Grant | None:
    if link.account_id is None:
        return None
    return await transaction.grant_of(
        service=link.service, account_id=link.account_id, household_id=link.household_id
    )


def _minted(existing: Grant | None, link: Link, grant_id: str, now: int, context: TokenContext) -> Grant:
    lifetimes, shortening = context.settings.lifetimes, context.fraction()
    keys = context.mint.current
    if existing is not None:
        return grants.link_again(existing, keys=keys, lifetimes=lifetimes, shortening=shortening, now=now)
    assert link.account_id is not None  # an approved link has one
    return grants.first(
        grant_id=grant_id,
        service=link.service,
        account_id=link.account_id,
        household_id=link.household_id,
        keys=keys,
        lifetimes=lifetimes,
        shortening=shortening,
        now=now,
    )


async def _tell_ended(grant: Grant, family: int, context: TokenContext) -> None:
    await context.bus.answer(ALL_GATEWAYS, _ended(grant, family))


def _ended(grant: Grant, family: int) -> FamilyEnded:
    return FamilyEnded(service=grant.service, grant_id=grant.grant_id, family=family)


async def _publish(due: Sequence[NoticeDue], context: TokenContext) -> None:
    if due:
        await context.bus.publish(due)


HANDLERS: HandlerTable[TokenContext] = {
    LinkApproved: mint,
    TokenRefreshRequested: Batched(refresh),
    TokenSeen: Batched(note_seen),
    TokenRevokeRequested: revoke,
    EraseApproved: erase,
    GrantRequested: upgrades.issue,
}
