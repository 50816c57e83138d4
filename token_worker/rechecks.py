"""Says, after a refresh, that it is time to look whether the person is still there; auth_worker decides whether it is."""

from collections.abc import Iterable

import structlog

from shared.bus.base import BusUnavailable
from shared.domain.account import Account
from shared.messages import AccountRecheckRequested
from token_worker.context import TokenContext

log = structlog.get_logger(__name__)


async def ask(accounts: Iterable[Account], context: TokenContext) -> None:
    """Ask for a look at those accounts whose turn it may be. Best effort: a broker that is away is asked with the next refresh."""
    policies, now = context.settings.recheck, context.clock.monotonic()
    due = {
        account.account_id: account
        for account in accounts
        if account.provider in policies
        and context.rechecks.is_due(account.account_id, policies[account.provider], now=now)
    }
    if not due:
        return
    events = [
        AccountRecheckRequested(service=account.service, account_id=account_id)
        for account_id, account in due.items()
    ]
    try:
        await context.bus.publish(events)
    except BusUnavailable:
        log.warning("recheck not asked for", reason="broker away")
    else:
        context.rechecks.asked(due, now=now)
