"""What `latchkey grants` does: shows who is linked, and ends it."""

import asyncio

from shared import bootstrap, logs
from shared.bus.base import Bus, BusUnavailable
from shared.domain.revocation import Limits, Scope, Selection
from shared.messages import TokenRevokeRequested
from shared.settings import Settings
from shared.storage.base import GrantView
from token_worker import revocation

CONNECT_SECONDS = 15.0
"""How long a command waits for the broker."""


async def listed(settings: Settings, selection: Selection, *, limit: int) -> tuple[GrantView, ...]:
    """Return selected grants by id, at most *limit*."""
    async with bootstrap.open_read_store(settings) as store:
        return await store.grants(selection, limit=limit)


async def revoke(settings: Settings, selection: Selection, *, reason: str) -> str:
    """Revoke selected grants, and return what to tell the operator.

    In embedded mode the bus lives in another process, so the work is done here, on the same rows: gateways see it with the
    next call. With RabbitMQ token_worker does it, and tells all gateways. Families that begin after now are spared, however
    late the event is handled.

    Raises:
        StoreUnavailable: the database does not answer; run it again.
        BusUnavailable: the broker did not take the event; run it again.
    """
    async with bootstrap.open_token_store(settings) as store:
        async with store.transaction() as transaction:
            limits = Limits(started_by=transaction.now)
        if settings.broker_url.get_secret_value().startswith("memory://"):
            count = await revocation.end_all(store, selection, limits, reason=reason)
            return f"revoked {count} {'grant' if count == 1 else 'grants'}"
    event = TokenRevokeRequested(
        service=selection.service,
        scope=selection.scope,
        value=selection.value,
        reason=reason,
        started_by=limits.started_by,
    )
    logs.configure(level="warning", format="console")
    async with bootstrap.open_bus(settings) as bus:
        await _publish(bus, event)
    return "token_worker was told to revoke; `latchkey grants list` shows what is done"


def selection_of(
    service: str, *, grant: str | None, account: str | None, household: str | None, everything: bool
) -> Selection:
    """Return what the options of a command select.

    Raises:
        ValueError: none of them, or more than one.
    """
    scopes = ((Scope.GRANT, grant), (Scope.ACCOUNT, account), (Scope.HOUSEHOLD, household))
    chosen = [Selection(service=service, scope=scope, value=value) for scope, value in scopes if value]
    chosen += [Selection(service=service, scope=Scope.ALL)] if everything else []
    if len(chosen) != 1:
        raise ValueError("say which grants: one of --grant, --account, --household, --all")
    return chosen[0]


async def _publish(bus: Bus, event: TokenRevokeRequested) -> None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            while not bus.is_connected():  # noqa: ASYNC110 - a bus tells when it is asked, since services need no more
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise BusUnavailable(
            "the broker does not answer; is it running, and LATCHKEY_BROKER_URL right?"
        ) from None
    await bus.publish([event])
