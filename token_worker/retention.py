"""Deletes what has expired, in small bounded steps, for as long as the worker runs."""

import asyncio

import structlog

from shared.storage.base import StoreUnavailable
from token_worker.context import TokenContext

ROWS_AT_A_TIME = 1000

log = structlog.get_logger(__name__)


async def run(context: TokenContext, *, stop: asyncio.Event) -> None:
    """Delete expired rows every so often until *stop* is set; a database that is away is tried again next time."""
    while not stop.is_set():
        try:
            deleted = await delete_expired(context)
        except StoreUnavailable as error:
            log.warning("retention postponed", reason=str(error))
        else:
            context.metrics.deleted.add(by=deleted)
            context.metrics.retained.set(context.clock.now())
            if deleted:
                log.info("expired rows deleted", rows=deleted)
        await _wait(stop, context.settings.retention.interval)


async def delete_expired(context: TokenContext) -> int:
    """Delete all that has expired now, one bounded transaction after the other, and return how many rows went."""
    total = 0
    while True:
        async with context.store.transaction() as transaction:
            before = transaction.now - context.settings.retention.links
            deleted = await transaction.delete_expired(links_before=before, limit=ROWS_AT_A_TIME)
        total += deleted
        if deleted < ROWS_AT_A_TIME:
            return total


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
