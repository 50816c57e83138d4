"""Concurrent look-ups are gathered, and nobody notices but the database."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from shared.storage.base import StoreUnavailable
from shared.storage.gathering import FEW, Gathering


class Database:
    """Looks keys up when told to, and remembers what it was asked for at a time."""

    def __init__(self) -> None:
        self.flights: list[list[str]] = []
        self.answers: list[asyncio.Future[None]] = []

    async def find(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Wait for the test, then find every key but those that begin with `no`."""
        self.flights.append(list(keys))
        self.answers.append(asyncio.get_running_loop().create_future())
        await self.answers[-1]
        return {key: key.upper() for key in keys if not key.startswith("no")}


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _ask(gathering: Gathering[str], *keys: str) -> list[asyncio.Task[str | None]]:
    return [asyncio.create_task(gathering.get(key)) for key in keys]


@pytest.fixture
def database() -> Database:
    """A database that answers when told to."""
    return Database()


@pytest.fixture
def gathering(database: Database) -> Gathering[str]:
    """What is tested: flights of at most three keys."""
    return Gathering(database.find, most=3)


async def test_who_comes_alone_leaves_at_once(gathering: Gathering[str], database: Database) -> None:
    """Nobody waits for company."""
    (task,) = _ask(gathering, "a")
    await _settle()
    assert [["a"]] == database.flights

    database.answers[0].set_result(None)

    assert "A" == await task


async def test_who_comes_during_a_flight_shares_the_next(
    gathering: Gathering[str], database: Database
) -> None:
    """A flight that has left takes no more keys; the next takes all that wait, each key once."""
    tasks = _ask(gathering, "a")
    await _settle()
    tasks += _ask(gathering, "a", "b", "b")
    await _settle()
    database.answers[0].set_result(None)
    await _settle()
    database.answers[1].set_result(None)

    assert ["A", "A", "B", "B"] == await asyncio.gather(*tasks)
    assert [["a"], ["a", "b"]] == database.flights


async def test_next_flight_leaves_before_those_who_landed_go_on(
    gathering: Gathering[str], database: Database
) -> None:
    """While they are answered, the database looks up what the others asked for."""
    under_way: list[int] = []

    async def ask(key: str) -> None:
        await gathering.get(key)
        under_way.append(len(database.flights))

    first = asyncio.create_task(ask("a"))
    await _settle()
    second = asyncio.create_task(ask("b"))
    await _settle()
    database.answers[0].set_result(None)
    await first
    database.answers[1].set_result(None)
    await second

    assert [2, 2] == under_way


async def test_what_is_not_there_is_none(gathering: Gathering[str], database: Database) -> None:
    """A key that the look-up does not return stands for nothing."""
    (task,) = _ask(gathering, "nobody")
    await _settle()
    database.answers[0].set_result(None)

    assert await task is None


async def test_a_flight_has_room_for_so_many(gathering: Gathering[str], database: Database) -> None:
    """Who finds no room goes with the flight after, in the order of asking."""
    tasks = _ask(gathering, "a")
    await _settle()
    tasks += _ask(gathering, "b", "c", "d", "e")
    for number in range(3):
        await _settle()
        database.answers[number].set_result(None)

    assert ["A", "B", "C", "D", "E"] == await asyncio.gather(*tasks)
    assert [["a"], ["b", "c", "d"], ["e"]] == database.flights


async def test_of_many_half_go_at_a_time(database: Database) -> None:
    """So that there is something to do while they are away; few go all together."""
    gathering = Gathering(database.find, most=1000)
    tasks = _ask(gathering, "first")
    await _settle()
    tasks += _ask(gathering, *map(str, range(4 * FEW)))
    for number in range(4):
        await _settle()
        database.answers[number].set_result(None)
    await asyncio.gather(*tasks)

    assert [1, 2 * FEW, FEW, FEW] == [len(keys) for keys in database.flights]


async def test_a_failure_is_told_to_those_aboard(gathering: Gathering[str], database: Database) -> None:
    """All of a failed flight get its error, and the next flight is none the wiser."""
    first = _ask(gathering, "a")
    await _settle()
    aboard = _ask(gathering, "b", "c", "d")
    later = _ask(gathering, "e")
    await _settle()
    database.answers[0].set_result(None)
    await _settle()
    database.answers[1].set_exception(StoreUnavailable("lost"))
    await _settle()
    database.answers[2].set_result(None)

    outcomes = await asyncio.gather(*first, *aboard, *later, return_exceptions=True)

    assert ["A", "lost", "lost", "lost", "E"] == [str(outcome) for outcome in outcomes]


async def test_who_goes_away_takes_nobody_along(gathering: Gathering[str], database: Database) -> None:
    """A caller that is cancelled, aboard or waiting, changes nothing for the others."""
    tasks = _ask(gathering, "a", "b", "c")
    await _settle()
    tasks[0].cancel()
    tasks[1].cancel()
    await _settle()
    database.answers[0].set_result(None)
    await _settle()
    database.answers[1].set_result(None)

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [asyncio.CancelledError, asyncio.CancelledError, str] == [type(outcome) for outcome in outcomes]


async def test_closing_tells_all_who_wait(gathering: Gathering[str], database: Database) -> None:
    """When the store closes nobody is left waiting, and nobody new is taken."""
    tasks = _ask(gathering, "a")
    await _settle()
    tasks += _ask(gathering, "b", "c", "d", "e")
    await _settle()
    await gathering.close()
    tasks += _ask(gathering, "f")

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [StoreUnavailable] * 6 == [type(outcome) for outcome in outcomes]
    assert [["a"]] == database.flights


async def test_closing_when_idle_is_nothing(gathering: Gathering[str]) -> None:
    """A store that was never asked closes, and closes again."""
    await gathering.close()
    await gathering.close()
