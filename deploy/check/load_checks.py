"""Many households that wait for their links at once, at Sonos's own pace: bounded, and only when asked for."""

import asyncio
import math

from deploy.check import sources
from deploy.check.checks import check, counted, unless_fault
from deploy.check.client import Answer, Unanswered
from deploy.check.codes import RETRY
from deploy.check.probe import POLL_SECONDS, Probe
from deploy.check.reading import Skipped, link_in

MOST_HOUSEHOLDS = 500
LONGEST_SECONDS = 600.0


@check(
    "load.polls",
    sonos="After a campaign or a firmware update many households link at once; each polls every 5 seconds and waits 20 for an answer.",
    way_out="Answer a poll with one read, and run more replicas.",
    source=sources.SYNCHRONIZE,
)
async def polls(probe: Probe) -> str | None:
    """Households that poll at the same time are all answered, and soon."""
    households = probe.options.load
    if not households:
        raise Skipped("only when asked for: --load HOUSEHOLDS")
    rounds = max(1, math.ceil(probe.options.load_seconds / POLL_SECONDS))
    runs = await asyncio.gather(*(_household(probe, n / households, rounds) for n in range(households)))
    answers = [a for run in runs for a in run[0]]
    problems = [problem for run in runs for problem in run[1]]
    seconds = sorted(a.seconds for a in answers) or [0.0]
    probe.figures |= {
        "load: households": households,
        "load: polls": len(answers),
        "load: p50": _at(seconds, 0.5) * 1000,
        "load: p95": _at(seconds, 0.95) * 1000,
        "load: p99": _at(seconds, 0.99) * 1000,
    }
    if _at(seconds, 0.99) >= probe.options.slow:
        problems.append(f"one poll in a hundred takes {_at(seconds, 0.99):.1f} s or more")
    return counted(problems)


async def _household(probe: Probe, offset: float, rounds: int) -> tuple[list[Answer], list[str]]:
    answers: list[Answer] = []
    problems: list[str] = []
    try:
        # Spread over one interval, as households are that did not wait for each other.
        await probe.clock.sleep(offset * POLL_SECONDS)
        household = f"Sonos_{probe.letters(26)}"
        link = link_in(await probe.ask_for_link(householdId=household))
        for _ in range(rounds):
            await probe.clock.sleep(POLL_SECONDS)
            answers.append(await probe.poll(link, householdId=household))
            problems += [seen] if (seen := unless_fault(answers[-1], RETRY)) else []
    except (Unanswered, Skipped) as error:
        problems.append(str(error))
    return answers, problems


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


CHECKS = (polls,)
