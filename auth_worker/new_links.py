"""Writes the rows of new links: all that were asked for at the same time in one transaction, with few statements."""

from collections.abc import Sequence

from auth_worker.codes import name_link
from auth_worker.context import AuthContext
from shared.domain import link as rules
from shared.domain.account import Account
from shared.domain.link import Device, Link, LinkState
from shared.messages import LinkRequested
from shared.storage.base import AuthTransaction
from shared.storage.records import AuditEvent

Asked = tuple[LinkRequested, Link]


async def open_links(messages: Sequence[LinkRequested], context: AuthContext) -> None:
    """Write the row of each link that is not there yet, and end those that it takes the place of."""
    async with context.store.transaction() as transaction:
        asked = {message.link_id: (message, _link(message, transaction.now)) for message in messages}
        inserted = await transaction.insert_links([link for _, link in asked.values()])
        new = [each for link_id, each in asked.items() if link_id in inserted]
        if new:
            await _end_older(transaction, new)
            await transaction.audit_all([_requested(message, link) for message, link in new])
            for message, link in new:
                await name_link(transaction, message, link)


def audit_of(kind: str, link: Link, account: Account | None = None, **detail: str | int) -> AuditEvent:
    """Return what is kept of something that happened to a link."""
    return AuditEvent(
        kind=kind,
        service=link.service,
        link_id=link.link_id,
        account_id=account.account_id if account else None,
        household_id=link.household_id,
        detail=dict(detail),
    )


def _link(message: LinkRequested, now: int) -> Link:
    return Link(
        link_id=message.link_id,
        service=message.service,
        state=LinkState.REQUESTED,
        household_id=message.household_id,
        device=Device(hardware=message.hardware, os_version=message.os_version, app_name=message.app_name),
        callback_path=message.callback_path,
        requested_at=now,
        expires_at=now + message.lifetime,
        network=message.network,
    )


def _requested(message: LinkRequested, link: Link) -> AuditEvent:
    typed = {"typed": True} if message.typed_id else {}
    return audit_of("link.requested", link, None, **typed)


async def _end_older(transaction: AuthTransaction, new: Sequence[Asked]) -> None:
    """End the links that the same device of the same household asked for before, and that nobody has signed in to.

    Those that were asked for in the same transaction are of the same second, and end nobody's.
    """
    households = {link.household_id for _, link in new}
    for older in await transaction.links_asked_for(sorted(households)):
        if any(
            rules.supersedes(link, older, asked_seconds_ago=transaction.now - message.asked_at)
            for message, link in new
            if link.household_id == older.household_id
        ):
            ended = rules.supersede(older)
            await transaction.swap_link(older, ended)
            await transaction.audit(audit_of("link.superseded", ended))
