"""What `latchkey grants` does: shows who is linked, and ends it."""

from deploy.broker import is_embedded, open_broker
from shared import bootstrap
from shared.domain.revocation import Limits, Scope, Selection
from shared.messages import TokenRevokeRequested
from shared.settings import Settings
from shared.storage.records import GrantView
from token_worker import notices, revocation


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
        if is_embedded(settings):
            count = await revocation.end_all(
                store, selection, limits, reason=reason, notices_kept=notices.kept(settings)
            )
            return f"revoked {count} {'grant' if count == 1 else 'grants'}"
    event = TokenRevokeRequested(
        service=selection.service,
        scope=selection.scope,
        value=selection.value,
        reason=reason,
        started_by=limits.started_by,
    )
    async with open_broker(settings) as bus:
        await bus.publish([event])
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
