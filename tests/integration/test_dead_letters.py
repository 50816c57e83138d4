"""`latchkey dead` on a real broker."""

import asyncio
from pathlib import Path

import aio_pika
import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from shared import wire
from shared.bus.base import Bus, BusUnavailable
from tests.contract.conftest import opened
from tests.contract.test_bus import QUEUE, Hands, ids, requested


@pytest.fixture
def broker_url(rabbit_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A broker with three dead letters, and the settings that name it."""
    for name, value in {
        "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/none.db",
        "BROKER_URL": rabbit_url,
        "KEYS_DIR": str(tmp_path),
        "PUBLIC_URL": "https://link.example.com",
    }.items():
        monkeypatch.setenv(f"LATCHKEY_{name}", value)
    monkeypatch.setenv("COLUMNS", "200")

    async def bury() -> None:
        async with opened(rabbit_url) as bus:
            for number in range(3):
                await bus.bury(QUEUE, wire.encode([requested(number)], attempt=8), reason="KeyError at x:1")

    asyncio.run(bury())
    return rabbit_url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["dead", *arguments])


def test_dead_letters_are_listed_and_put_back(broker_url: str) -> None:
    """One by its id, then all that are left; each comes out of its queue once, as its first attempt."""
    listed = run("list")
    names = [line.split()[1] for line in listed.output.splitlines() if QUEUE in line]
    results = [run("replay", names[1]), run("replay", names[1]), run("replay", "--all"), run("list")]

    async def taken() -> list[tuple[list[str], int]]:
        async with opened(broker_url) as bus:
            return [await _take(bus) for _ in range(3)]

    assert ["KeyError at x:1" in listed.output, "link-" in listed.output] == [True, False]
    assert [0, 2, 0, 0] == [result.exit_code for result in results]
    assert ["put back 1 letter\n", "put back 2 letters\n", "there are no dead letters\n"] == [
        results[number].output for number in (0, 2, 3)
    ]
    first, *others = asyncio.run(taken())
    assert (["link-1"], 1) == first
    assert [(["link-0"], 1), (["link-2"], 1)] == sorted(others)


async def _take(bus: Bus) -> tuple[list[str], int]:
    hands = Hands()
    await bus.consume(QUEUE, hands.receive, prefetch=1)
    delivery = await hands.take()
    await bus.stop_consuming()
    await hands.ack(delivery)
    return ids(delivery), wire.decode(delivery.body).attempt


async def test_letter_stays_where_its_queue_is_gone(rabbit_url: str) -> None:
    """What no queue takes is no success: the letter is there to be put back another time."""
    async with opened(rabbit_url) as bus, await aio_pika.connect(rabbit_url) as connection:
        await bus.bury(QUEUE, wire.encode([requested()]), reason="because")
        (letter,) = await bus.dead_letters()
        await (await connection.channel()).queue_delete(QUEUE)
        with pytest.raises(BusUnavailable):
            await bus.replay([letter.letter_id])

        assert [letter] == await bus.dead_letters()
