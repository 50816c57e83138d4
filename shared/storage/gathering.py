"""Gathering: concurrent look-ups of one kind become few statements."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from shared.storage.base import StoreUnavailable

ValueT = TypeVar("ValueT")

Find = Callable[[Sequence[str]], Coroutine[Any, Any, Mapping[str, ValueT]]]
"""Looks several keys up at once; what does not exist is missing in the answer."""


FEW = 16
"""Keys that go together however few wait."""


class Gathering(Generic[ValueT]):
    """Looks keys up one flight at a time: what is asked for while one is under way goes with the next.

    Nobody waits when idle, and nobody gets an answer that was read before the question: a flight that has left takes no
    more keys. Of many who wait half go with the next: if all of them did, nobody would be left to do anything for meanwhile,
    and the process would stand idle until the flight has landed.
    """

    def __init__(self, find: Find[ValueT], *, most: int) -> None:
        self._find = find
        self._most = most
        self._waiting: list[_Passenger[ValueT]] = []
        self._flight: asyncio.Task[Mapping[str, ValueT]] | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, key: str) -> ValueT | None:
        """Return what *key* stands for now, or None; raises what the look-up raised."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._loop is None:
            # Asking for it takes a system call.
            self._loop = asyncio.get_running_loop()
        answer: asyncio.Future[ValueT | None] = self._loop.create_future()
        self._waiting.append((key, answer))
        if self._flight is None:
            self._depart()
        return await answer

    async def close(self) -> None:
        """End the flight that is under way; who still waits is told that the store is closed."""
        self._closed = True
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])

    def _depart(self) -> None:
        most = min(self._most, max(FEW, len(self._waiting) // 2))
        aboard, self._waiting = self._waiting[:most], self._waiting[most:]
        keys = list(dict.fromkeys(key for key, _ in aboard))
        assert self._loop is not None  # since somebody waits
        self._flight = self._loop.create_task(self._find(keys))
        self._flight.add_done_callback(partial(self._land, aboard))

    def _land(
        self, aboard: "Sequence[_Passenger[ValueT]]", flight: asyncio.Task[Mapping[str, ValueT]]
    ) -> None:
        self._flight = None
        waiting = self._waiting
        if waiting and not self._closed:
            # Before anybody is woken: the database looks up theirs while those aboard are answered.
            self._depart()
        if flight.cancelled():
            _refuse([*aboard, *waiting], StoreUnavailable("the store is closed"))
        elif error := flight.exception():
            _refuse(aboard, error)
        else:
            found = flight.result()
            for key, answer in aboard:
                if not answer.done():
                    answer.set_result(found.get(key))


_Passenger = tuple[str, asyncio.Future[ValueT | None]]


def _refuse(passengers: Sequence[_Passenger[ValueT]], error: BaseException) -> None:
    for _, answer in passengers:
        # Done already when the one who asked has gone away.
        if not answer.done():
            answer.set_exception(error)
