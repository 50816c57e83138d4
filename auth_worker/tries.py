"""Lets passwords be judged within the budgets of `shared.domain.limits`, and counts the wrong ones."""

from collections.abc import Awaitable, Callable

from auth_worker.context import AuthContext
from auth_worker.providers.base import Identity
from shared.domain import limits
from shared.domain.errors import SignInRefused, TooManyTries
from shared.domain.limits import Counted, Decision
from shared.storage.tries import TryOutcome

Ask = Callable[[], Awaitable[Identity]]


async def within_budget(
    ask: Ask, *, try_id: str, service: str, counted: Counted | None, context: AuthContext
) -> Identity:
    """Return whom the evidence proves somebody to be, if it may be looked at now.

    A try is recorded and committed first, and judged in a transaction of its own: of several at once the last to be committed
    sees all the others, so that no more are looked at than the budgets allow, on however many workers. The provider is asked
    outside of any transaction: it may be slow.

    Args:
        ask: asks the provider.
        try_id: names the try, so that a redelivery is not counted as another one.
        service: the service it belongs to.
        counted: under which keys it counts; None for evidence that nobody can guess.
        context: auth_worker's.

    Raises:
        TooManyTries: nobody has looked.
        SignInRefused, AccountDisabled, AccountUnsupported, ProviderUnavailable: as `Provider.authenticate`.
    """
    if counted is None:
        return await ask()
    await _record(try_id, service, counted, context)
    decision = await _decide(try_id, counted, context)
    try:
        identity = await ask()
    except SignInRefused:
        await _end(try_id, TryOutcome.REPEATED if decision.is_repeat else TryOutcome.REFUSED, context)
        raise
    except Exception:
        # Not the person's fault, or not a guess: what nobody has judged does not count.
        await _end(try_id, TryOutcome.OVER, context)
        raise
    async with context.store.transaction() as transaction:
        await transaction.end_try(try_id, TryOutcome.OVER)
        places = [place for place in (counted.at_network, counted.at_place) if place]
        await transaction.know_places(places, service=service, seconds=context.settings.limits.known)
    return identity


async def _record(try_id: str, service: str, counted: Counted, context: AuthContext) -> None:
    async with context.store.transaction() as transaction:
        memory = context.settings.limits.memory
        if await transaction.insert_try(try_id, service=service, counted=counted, memory=memory):
            return
        outcome = await transaction.try_outcome(try_id)
    # A redelivery, whose first delivery went far enough to say no.
    if outcome in {TryOutcome.REFUSED, TryOutcome.REPEATED}:
        raise SignInRefused
    if outcome is TryOutcome.LIMITED:
        raise TooManyTries


async def _decide(try_id: str, counted: Counted, context: AuthContext) -> Decision:
    async with context.store.transaction() as transaction:
        tries = await transaction.tries(counted, other_than=try_id)
        decision = limits.judge(tries, tag=counted.tag, limits=context.settings.guessing)
        if decision.is_known_wrong:
            await transaction.end_try(try_id, TryOutcome.REPEATED)
        elif decision.wait:
            await transaction.end_try(try_id, TryOutcome.LIMITED)
    if decision.is_known_wrong:
        raise SignInRefused
    if decision.wait:
        raise TooManyTries(decision.wait)
    return decision


async def _end(try_id: str, outcome: TryOutcome, context: AuthContext) -> None:
    async with context.store.transaction() as transaction:
        await transaction.end_try(try_id, outcome)
