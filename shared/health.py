"""Health: what a process says of itself to whoever runs it.

    /livez      503: it hangs, start it anew. Asks nothing outside the process: no restart mends a database.
    /startupz   503: not begun yet, such as before the migrations.
    /readyz     503: send it no work. 200 with `degraded`: it works, and something is missing that others notice.

Each service adds its checks; in embedded mode all three add to the same health.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

CHECK_SECONDS = 2.0
"""How long a check may take; probes are asked every few seconds."""
REMEMBERED_SECONDS = 1.0
"""How long an answer of a check is good: probes cost the database nothing, however many there are."""

Check = Callable[[], Awaitable[str | None]]
"""Returns what is wrong, in words that anybody may read; None if nothing is."""


@dataclass(frozen=True, slots=True)
class Report:
    """An answer to a probe."""

    status: str
    problems: Mapping[str, str]
    is_well: bool

    @property
    def body(self) -> dict[str, str]:
        """Return the answer as JSON has it."""
        return {"status": self.status, **self.problems}


@dataclass(frozen=True, slots=True)
class Health:
    """The checks of one process, by name; a name that comes again replaces the one before."""

    alive: dict[str, Check] = field(default_factory=dict)
    begun: dict[str, Check] = field(default_factory=dict)
    fit: dict[str, Check] = field(default_factory=dict)
    whole: dict[str, Check] = field(default_factory=dict)
    """What does without: work goes on, and the answer says so."""

    async def livez(self) -> Report:
        """Tell whether the process is worth keeping."""
        return _report("alive", "not alive", await _problems(self.alive))

    async def startupz(self) -> Report:
        """Tell whether the process has begun."""
        return _report("started", "starting", await _problems(self.begun))

    async def readyz(self) -> Report:
        """Tell whether work should come here."""
        unfit, broken = await asyncio.gather(_problems(self.fit), _problems(self.whole))
        if unfit:
            return _report("ready", "not ready", unfit | broken)
        return Report("degraded" if broken else "ready", broken, is_well=True)


def remembered(
    check: Check, *, seconds: float = REMEMBERED_SECONDS, monotonic: Callable[[], float] = time.monotonic
) -> Check:
    """Return a check that is asked once, whoever asks at the same time, and not again within *seconds*."""
    asked: asyncio.Task[str | None] | None = None
    good_until = 0.0

    async def ask() -> str | None:
        nonlocal good_until
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await check()
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS:.0f} seconds"
        finally:
            good_until = monotonic() + seconds

    async def ask_once() -> str | None:
        nonlocal asked
        if asked is None or (asked.done() and monotonic() >= good_until):
            asked = asyncio.create_task(ask())
        # Who goes away does not take the answer from the others.
        return await asyncio.shield(asked)

    return ask_once


def _report(well: str, unwell: str, problems: Mapping[str, str]) -> Report:
    return Report(unwell if problems else well, problems, is_well=not problems)


async def _problems(checks: Mapping[str, Check]) -> dict[str, str]:
    found = await asyncio.gather(*(check() for check in checks.values()))
    return {name: problem for name, problem in zip(checks, found, strict=True) if problem is not None}
