"""Accounts that the service's own back end vouches for: it has signed the person in, so nobody is asked here."""

import msgspec

from auth_worker.context import AuthContext
from shared.boxes import Vouched, vouched_identity
from shared.domain.account import VOUCHED, Account, AccountStatus
from shared.domain.link import BACK_END, Device, Link, LinkState
from shared.messages import AccountKnown, AccountVouched, LinkApproved, LinkChanged, LinkVouched
from shared.sealing import unseal
from shared.storage.base import AuthTransaction, Conflict
from shared.storage.records import AuditEvent


async def link_vouched(message: LinkVouched, context: AuthContext) -> None:
    """Write a link that is signed in to already, and have its token minted; a duplicate only does the latter again."""
    async with context.store.transaction() as transaction:
        link = await transaction.link(message.link_id) or await _new_link(transaction, message, context)
    if link.state is LinkState.FAILED:
        changed = LinkChanged(
            service=link.service,
            link_id=link.link_id,
            state=link.state,
            correlation_id=message.correlation_id,
        )
        await context.bus.answer(message.gateway, changed)
        return
    approved = LinkApproved(
        service=link.service,
        gateway=message.gateway,
        correlation_id=message.correlation_id,
        link_id=link.link_id,
        browser=BACK_END,
    )
    await context.bus.publish([approved])


async def know_account(message: AccountVouched, context: AuthContext) -> None:
    """Write an account that the back end vouches for, and tell the gateway that it can be read."""
    vouched = _opened(message.vouched, message.request_id, context)
    async with context.store.transaction() as transaction:
        await _account(transaction, message.service, vouched, context)
    known = AccountKnown(
        service=message.service, request_id=message.request_id, correlation_id=message.correlation_id
    )
    await context.bus.answer(message.gateway, known)


async def _new_link(transaction: AuthTransaction, message: LinkVouched, context: AuthContext) -> Link:
    vouched = _opened(message.vouched, message.link_id, context)
    account = await _account(transaction, message.service, vouched, context)
    disabled = account.status is AccountStatus.DISABLED
    link = Link(
        link_id=message.link_id,
        service=message.service,
        state=LinkState.FAILED if disabled else LinkState.AUTHENTICATED,
        household_id=message.household_id,
        device=Device(),
        callback_path=message.callback_path,
        requested_at=transaction.now,
        expires_at=transaction.now + message.lifetime,
        account_id=account.account_id,
        browser=BACK_END,
    )
    if not await transaction.insert_link(link):
        raise Conflict("the link is being written by somebody else")
    await transaction.audit(
        AuditEvent(
            kind="link.vouched",
            service=link.service,
            link_id=link.link_id,
            account_id=account.account_id,
            household_id=link.household_id,
        )
    )
    return link


async def _account(
    transaction: AuthTransaction, service: str, vouched: Vouched, context: AuthContext
) -> Account:
    """Return the account, written anew or brought up to date with the nickname, if one was told."""
    known = await transaction.account_of(service=service, provider=VOUCHED, subject=vouched.subject)
    if known is not None and vouched.nickname in {None, known.nickname}:
        return known
    # Sonos shows the nickname beside the service's name, so some name has to stand there.
    nickname = vouched.nickname or context.settings.services[service].title
    return await transaction.upsert_account(
        Account(
            account_id=context.new_id(),
            service=service,
            provider=VOUCHED,
            subject=vouched.subject,
            nickname=nickname[:32],
            tier=known.tier if known else None,
        )
    )


def _opened(box: bytes, request_id: str, context: AuthContext) -> Vouched:
    content = unseal(
        box,
        private_keys=[key.secret for key in context.keys.box],
        bound_to=vouched_identity(request_id),
    )
    return msgspec.json.decode(content, type=Vouched)
