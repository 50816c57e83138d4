"""Typed codes: gives a link its short name, and judges what people type, within a budget of guesses."""

from auth_worker.context import AuthContext
from shared.domain import link as rules
from shared.domain.link import Link
from shared.domain.typed_code import seconds_to_wait
from shared.messages import CodeEntered, CodeJudged, LinkRequested
from shared.storage.base import AuthTransaction
from shared.storage.codes import CodeEntry, EntryOutcome, TypedCode


async def name_link(transaction: AuthTransaction, message: LinkRequested, link: Link) -> None:
    """Store the short name of a link that was just inserted, if it has one.

    If another link has that name, this one fails at once: its Sonos starts again with another code, and whoever types
    this code meets the earlier link. One in hundreds of millions, but a person must never meet a link by chance.
    """
    if message.typed_id is None:
        return
    code = TypedCode(
        typed_id=message.typed_id,
        service=link.service,
        link_id=link.link_id,
        sealed=message.page_code,
        expires_at=link.expires_at,
    )
    if not await transaction.insert_typed_code(code):
        await transaction.swap_link(link, rules.fail(link, now=transaction.now))


async def enter_code(message: CodeEntered, context: AuthContext) -> None:
    """Judge a typed code once, and tell the gateway that it was."""
    async with context.store.transaction() as transaction:
        entry = await _recorded(transaction, message)
    if entry.outcome is None:
        # Judged in a transaction of its own, after the entry is committed: of several entries at once the last to be
        # committed sees all the others, so that no more are looked at than the budget allows, on however many workers.
        async with context.store.transaction() as transaction:
            outcome, typed_id = await _judge(transaction, message)
            await transaction.judge_code_entry(message.entry_id, outcome, typed_id)
    judged = CodeJudged(
        service=message.service, entry_id=message.entry_id, correlation_id=message.correlation_id
    )
    await context.bus.answer(message.gateway, judged)


async def _recorded(transaction: AuthTransaction, message: CodeEntered) -> CodeEntry:
    entry = CodeEntry(
        entry_id=message.entry_id,
        service=message.service,
        browser=message.browser,
        network=message.network,
        entered_at=transaction.now,
    )
    if await transaction.insert_code_entry(entry):
        return entry
    return await transaction.code_entry(message.entry_id) or entry


async def _judge(transaction: AuthTransaction, message: CodeEntered) -> tuple[EntryOutcome, str | None]:
    guesses = await transaction.guesses(browser=message.browser, network=message.network)
    # This entry itself is among the guesses, so a budget that was used up shows one more than it allows.
    earlier = _without_one(guesses.browser), _without_one(guesses.network)
    if seconds_to_wait(browser=earlier[0], network=earlier[1], now=guesses.now):
        return EntryOutcome.TOO_MANY, None
    typed_id = await transaction.typed_code(message.typed_ids)
    return (EntryOutcome.RIGHT, typed_id) if typed_id else (EntryOutcome.WRONG, None)


def _without_one(guesses: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(guesses))[:-1]
