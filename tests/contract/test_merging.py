"""Work done alone and work merged: the same promises to whoever asks for it."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence

import pytest

from shared.merging import Merging, Shared

Do = Callable[[Sequence[str]], Awaitable[None]]


class Worker:
    """Does what it is asked when told to, all or nothing; whatever is called `bad` fails."""

    def __init__(self) -> None:
        self.flights: list[list[str]] = []
        self.gate = asyncio.Event()

    async def handle(self, items: Sequence[str]) -> None:
        """Wait for the test, then do it."""
        self.flights.append(list(items))
        await self.gate.wait()
        if "bad" in items:
            raise ValueError("bad")


@pytest.fixture
def worker() -> Worker:
    """A worker that works when told to."""
    return Worker()


@pytest.fixture(params=["alone", "merged"])
def do(request: pytest.FixtureRequest, worker: Worker) -> Do:
    """Either way of asking; who shared a failure asks alone, as the worker's reader does."""
    merging = Merging(worker.handle, most=4, seconds=30)

    async def merged(items: Sequence[str]) -> None:
        try:
            await merging.do(items)
        except Shared:
            await worker.handle(items)

    return worker.handle if request.param == "alone" else merged


async def _outcomes(do: Do, worker: Worker, *asked: Sequence[str]) -> list[object]:
    tasks = [asyncio.ensure_future(do(items)) for items in asked]
    await asyncio.sleep(0)
    worker.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_everything_is_done_in_order(do: Do, worker: Worker) -> None:
    """Once each, in the order in which it was asked for."""
    outcomes = await _outcomes(do, worker, "a", "bc", "d", "efghi", "j")

    assert [None] * 5 == outcomes
    assert "abcdefghij" == "".join(item for flight in worker.flights for item in flight)


async def test_a_failure_is_its_own_askers(do: Do, worker: Worker) -> None:
    """Those who went with it have theirs done."""
    outcomes = await _outcomes(do, worker, ["a"], ["b"], ["bad"], ["c"])

    assert [type(None), type(None), ValueError, type(None)] == [type(each) for each in outcomes]


async def test_who_goes_away_takes_nobody_along(do: Do, worker: Worker) -> None:
    """The others have theirs done."""
    tasks = [asyncio.ensure_future(do([item])) for item in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    worker.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(None), asyncio.CancelledError, type(None)] == [type(each) for each in outcomes]


async def test_failure_that_nobody_waits_for_any_more(worker: Worker) -> None:
    """Is nobody's, and no cry in the log either."""
    cries: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: cries.append(what))
    asked = asyncio.ensure_future(Merging(worker.handle, most=4, seconds=30).do(["bad"]))
    while not worker.flights:
        await asyncio.sleep(0)
    asked.cancel()
    worker.gate.set()
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()

    assert [] == cries


async def test_flights_are_few_and_bounded(worker: Worker) -> None:
    """What is asked for in the same turn, or while one is under way, goes together, as much as may."""
    merging = Merging(worker.handle, most=4, seconds=30)
    await _outcomes(merging.do, worker, "a", "bc", "d", "ef", "ghijklm")

    assert ["abcd", "ef", "ghijklm"] == ["".join(flight) for flight in worker.flights]


async def test_closing_cancels_who_waits(worker: Worker) -> None:
    """A worker that ends leaves nobody waiting, and nothing running."""
    merging = Merging(worker.handle, most=4, seconds=30)
    tasks = [asyncio.ensure_future(merging.do([item])) for item in "ab"]
    await asyncio.sleep(0)
    await merging.close()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [asyncio.CancelledError] * 2 == [type(each) for each in outcomes]
    assert 1 == len(asyncio.all_tasks())
