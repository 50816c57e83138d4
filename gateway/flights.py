"""Single flight: who asks for the same thing at the same time shares one answer."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class SingleFlight:
    """Flights under way, by what they are for."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}

    async def join(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Return the result of the flight for *key*, starting it if there is none.

        The flight is a task of its own: a caller that goes away does not take the others' answer along.
        """
        flight: asyncio.Task[ResultT] | None = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(start())
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return await asyncio.shield(flight)
