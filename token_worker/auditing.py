"""Seals the audit log, a minute or so behind what happens, and deletes what has been kept long enough."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import structlog

from shared.domain.audit_chain import FIRST, Seal, sealed_digest, statement
from shared.signatures import signed
from shared.storage.base import StoreUnavailable, TokenTransaction
from token_worker.context import TokenContext

SETTLED = 120
"""Seconds after which no transaction is still writing an event: far more than the limits of the database's roles give one."""
MOST_EVENTS = 1000
"""In a seal, and in one deletion."""
INTERVAL = 60.0
"""Seconds between two rounds."""

log = structlog.get_logger(__name__)


async def run(context: TokenContext, *, stop: asyncio.Event) -> None:
    """Seal and delete every so often until *stop* is set; a database that is away is tried again next time."""
    while not stop.is_set():
        try:
            while await seal(context) == MOST_EVENTS:
                pass
            while await delete_old(context) == MOST_EVENTS:
                pass
        except StoreUnavailable as error:
            log.warning("audit log not sealed", reason=str(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(INTERVAL):
                await stop.wait()


async def seal(context: TokenContext, *, settled: int = SETTLED) -> int:
    """Seal the events that have settled since the last seal, and return how many."""
    async with context.store.transaction() as transaction:
        previous = await transaction.last_seal()
        events = await transaction.recorded(
            after=previous.last_event_id if previous else 0,
            before=transaction.now - settled,
            limit=MOST_EVENTS,
        )
        if not events:
            return 0
        unsigned = Seal(
            seal_id=previous.seal_id + 1 if previous else 1,
            last_event_id=events[-1].event_id,
            events=len(events),
            digest=sealed_digest(previous.digest if previous else FIRST, events),
            at=transaction.now,
        )
        made = replace(unsigned, signature=signed(statement(unsigned), context.keys.signing[0]))
        if not await transaction.insert_seal(made):
            return 0
    # Whoever can write the database could write it anew from the first event on, but not what was logged.
    log.info("audit log sealed", seal=made.seal_id, events=made.events, digest=made.digest)
    return made.events


async def delete_old(context: TokenContext) -> int:
    """Delete sealed events that are older than `retention.audit`, a bounded number, and return how many."""
    async with context.store.transaction() as transaction:
        last = await transaction.last_seal()
        return await _delete(transaction, last, context) if last else 0


async def _delete(transaction: TokenTransaction, last: Seal, context: TokenContext) -> int:
    return await transaction.delete_recorded(
        until=last.last_event_id,
        before=transaction.now - context.settings.retention.audit,
        limit=MOST_EVENTS,
    )
