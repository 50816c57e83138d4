"""What a token worker does when it is full: it works off what has piled up in its queue, and nobody slows it down.

How two workers share work says something about their limit only where there is more than one can do. With less, each of two finds half as much
to do at a time, and what is done once for each batch is done twice as often, by processes that have time to spare
(docs/decisions/0023-full-workers.md).
"""

import asyncio
import hashlib
import statistics
import time
from collections.abc import Sequence

from bench import processes
from bench.bed import Bed
from bench.figures import Figure, figure
from bench.rows import Pace, Say
from bench.stock import HOUR, Token
from shared.bus.rabbit import RabbitBus, open_rabbit
from shared.messages import Event, RefreshOutcome, TokenRefreshed, TokenRefreshRequested

GATEWAY = "bench"
"""To whom the workers answer."""
TOGETHER = 64
"""Events that are handed over at a time, as gateways that are busy do."""
SECOND = "token_worker-2"
AT_A_TIME = 64
"""So many times that before the first is confirmed; a bus takes 10,000 events."""
_PATIENCE = 120


async def twice(bed: Bed, pace: Pace, say: Say, *, count: int) -> Figure:
    """Run two token workers where there was one.

    Both, and all they need, do not fit on two cores, so that rates would say how full the machine is. What is taken is the CPU time of a
    refresh: as long as it does not grow, two workers do twice the work of one on cores of their own.
    """
    async with open_rabbit(bed.system.environment["LATCHKEY_BROKER_URL"]) as bus:
        queue = _Queue(bus)
        await queue.open()
        costs: dict[int, list[float]] = {1: [], 2: []}
        with bed.unpinned():
            for number in range(pace.rounds):
                say(f"two token workers against one, round {number + 1} of {pace.rounds}")
                # Who was measured last is measured first the next time, as it is.
                for workers in (2, 1) if number % 2 else (1, 2):
                    await _run(bed, workers)
                    costs[workers].append(await _cost(bed, queue, count))
            await _run(bed, 1)
    median = statistics.median
    return figure(
        "two_workers",
        "2 token workers against 1, working off what has piled up, by CPU time",
        "times",
        [2 * alone / together for alone, together in zip(costs[1], costs[2], strict=True)],
        at_least=1.8,
        aim=1.95,
        alone_cpu_us=median(costs[1]),
        together_cpu_us=median(costs[2]),
    )


async def _run(bed: Bed, workers: int) -> None:
    """Have one token worker, or two."""
    if workers == 2 and SECOND not in bed.pids:
        await bed.start_worker("token_worker", name=SECOND)
    elif workers == 1:
        bed.stop(SECOND)


async def _cost(bed: Bed, queue: "_Queue", count: int) -> float:
    """Return the microseconds of CPU time that the workers spend on each of many refreshes, the first ones aside."""
    first, tokens = [await bed.stock.tokens(number, age=2 * HOUR) for number in (count // 4, count)]
    await bed.settle()
    pids = [pid for name, pids in bed.pids.items() if name.startswith("token_worker") for pid in pids]
    await queue.work_off(first, pids)
    before = processes.cpu_seconds(pids)
    await queue.work_off(tokens, pids)
    return (processes.cpu_seconds(pids) - before) / count * 1e6


class _Queue:
    """Asks for refreshes as a gateway does, without waiting for one before the next."""

    def __init__(self, bus: RabbitBus) -> None:
        self._bus = bus
        self._missing: set[str] = set()
        self._done = asyncio.Event()

    async def open(self) -> None:
        """Wait until there is a broker, and listen."""
        await self._bus.listen(GATEWAY, self._receive)
        async with asyncio.timeout(_PATIENCE):
            while not self._bus.is_connected():
                await asyncio.sleep(0.05)

    async def work_off(self, tokens: Sequence[Token], workers: Sequence[int]) -> None:
        """Let refreshes pile up while the workers stand still, and wait until they have answered the last."""
        asked = [_asked(token, number) for number, token in enumerate(tokens)]
        self._missing = {event.request_id for event in asked}
        self._done.clear()
        async with asyncio.timeout(_PATIENCE):
            with processes.standing_still(workers):
                messages = [asked[at : at + TOGETHER] for at in range(0, len(asked), TOGETHER)]
                for at in range(0, len(messages), AT_A_TIME):
                    await asyncio.gather(*map(self._bus.publish, messages[at : at + AT_A_TIME]))
            await self._done.wait()

    def _receive(self, event: Event) -> None:
        if not isinstance(event, TokenRefreshed):
            return
        if event.outcome is not RefreshOutcome.DELIVERED:
            raise RuntimeError(f"a refresh was {event.outcome.value}")
        self._missing.discard(event.request_id)
        if not self._missing:
            self._done.set()


def _asked(token: Token, number: int) -> TokenRefreshRequested:
    return TokenRefreshRequested(
        service="default",
        gateway=GATEWAY,
        correlation_id=f"bench{number}",
        request_id=f"{token.grant_id}{number}",
        grant_id=token.grant_id,
        family=1,
        generation=1,
        expires_at=int(time.time()) - HOUR,
        key_hash=hashlib.sha256(token.private_key.encode()).hexdigest(),
    )
