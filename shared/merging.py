"""Merging: what several callers want done at the same time is done at once, beside each doing it alone.

One flight at a time; what is asked for meanwhile, or in the same turn of the event loop, goes together. When a flight fails, nobody knows whose
fault it was: whoever was not alone on it is told `Shared`, and does it alone.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Shared(Exception):
    """Several went together and it failed."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.cause = cause


class Merging(Generic[ItemT]):
    """Hands the items of many callers to one function."""

    def __init__(
        self, handle: Callable[[Sequence[ItemT]], Awaitable[None]], *, most: int, seconds: float
    ) -> None:
        """Take the function.

        Args:
            handle: does it for many items, or for none of them.
            most: items in one flight, unless one caller alone brings more.
            seconds: a flight may take.
        """
        self._handle = handle
        self._most = most
        self._seconds = seconds
        self._waiting: deque[tuple[Sequence[ItemT], asyncio.Future[None]]] = deque()
        self._flight: asyncio.Task[None] | None = None

    async def do(self, items: Sequence[ItemT]) -> None:
        """Have it done for these items; a caller that goes away leaves them behind.

        Raises:
            Shared: it failed for several callers at once.
            Exception: it failed for this one.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, done))
        if self._flight is None:
            self._depart()
        await done

    async def close(self) -> None:
        """End what is under way; whoever waits is cancelled."""
        for _, done in self._waiting:
            done.cancel()
        self._waiting.clear()
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])

    def _depart(self) -> None:
        aboard: list[asyncio.Future[None]] = []
        self._flight = asyncio.create_task(self._fly(aboard))
        self._flight.add_done_callback(partial(self._land, aboard))

    async def _fly(self, aboard: list[asyncio.Future[None]]) -> None:
        items: list[ItemT] = []
        while self._waiting and (not aboard or len(items) + len(self._waiting[0][0]) <= self._most):
            more, done = self._waiting.popleft()
            if not done.done():
                items.extend(more)
                aboard.append(done)
        if aboard:
            async with asyncio.timeout(self._seconds):
                await self._handle(items)

    def _land(self, aboard: list[asyncio.Future[None]], flight: asyncio.Task[None]) -> None:
        self._flight = None
        # Asked for even if nobody waits any more, or asyncio would tell the log of an error that nobody was told.
        error = None if flight.cancelled() else flight.exception()
        for done in aboard:
            if done.done():
                continue
            if flight.cancelled():
                done.cancel()
            elif error is None:
                done.set_result(None)
            elif len(aboard) == 1:
                done.set_exception(error)
            else:
                done.set_exception(Shared(error) if isinstance(error, Exception) else error)
        if self._waiting:
            self._depart()
