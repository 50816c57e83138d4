"""Health: what is told to probes, and how seldom anybody is asked for it."""

import asyncio
from collections.abc import Mapping

import pytest

from shared import health
from shared.health import Check, Health, remembered


def saying(problem: str | None) -> Check:
    async def check() -> str | None:
        return problem

    return check


@pytest.mark.parametrize(
    ("database", "broker", "well", "body"),
    [
        (None, None, True, {"status": "ready"}),
        (None, "away", True, {"status": "degraded", "broker": "away"}),
        ("away", None, False, {"status": "not ready", "database": "away"}),
        ("away", "away", False, {"status": "not ready", "database": "away", "broker": "away"}),
    ],
)
async def test_ready_without_what_it_can_do_without(
    database: str | None, broker: str | None, well: bool, body: Mapping[str, str]
) -> None:
    """What is missing is always named; only what nothing goes without takes a process away."""
    process = Health(fit={"database": saying(database)}, whole={"broker": saying(broker)})

    report = await process.readyz()

    assert (well, body) == (report.is_well, report.body)


async def test_each_question_has_its_own_checks() -> None:
    """A process that hangs has begun, and one that has not begun does not hang."""
    process = Health(alive={"loop": saying("hangs")}, begun={"database": saying("not migrated")})

    reports = [await process.livez(), await process.startupz(), await process.readyz()]

    assert [
        {"status": "not alive", "loop": "hangs"},
        {"status": "starting", "database": "not migrated"},
        {"status": "ready"},
    ] == [report.body for report in reports]


async def test_probes_share_an_answer() -> None:
    """However many ask, within a second, only one goes and looks."""
    asked: list[float] = []
    now = 100.0

    async def look() -> str | None:
        asked.append(now)
        return f"look {len(asked)}"

    check = remembered(look, seconds=1, monotonic=lambda: now)
    together = await asyncio.gather(check(), check())
    soon = await check()
    now = 101.0
    later = await check()

    assert [["look 1", "look 1"], "look 1", "look 2"] == [together, soon, later]


async def test_who_gives_up_leaves_the_answer_to_others() -> None:
    """A probe that times out does not end the look that another one waits for."""
    go_on = asyncio.Event()

    async def look() -> str | None:
        await go_on.wait()
        return "seen"

    check = remembered(look)
    first, second = asyncio.create_task(check()), asyncio.create_task(check())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    go_on.set()

    assert "seen" == await second


async def test_what_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database behind a dead connection keeps no probe waiting."""
    monkeypatch.setattr(health, "CHECK_SECONDS", 0)

    async def hang() -> str | None:
        await asyncio.Event().wait()
        return None

    assert "no answer within 0 seconds" == await remembered(hang)()
