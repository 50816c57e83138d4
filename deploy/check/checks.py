"""How a check is written: a small function that looks, and says what it saw where that is not as it should be."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.check.client import Answer
from deploy.check.probe import Probe
from deploy.check.report import LINKING, About, Mode, Severity
from deploy.check.sources import Source

Look = Callable[[Probe], Awaitable[str | None]]
"""Returns what was seen, None if all is well.

Raises:
    Skipped: nothing can be said.
    Unanswered: no answer came, which is a finding by itself.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at."""

    about: About
    look: Look


def check(
    check_id: str,
    *,
    sonos: str,
    way_out: str,
    source: Source,
    severity: Severity = Severity.WRONG,
    modes: frozenset[Mode] = LINKING,
) -> Callable[[Look], Check]:
    """Make a check of a function; its docstring is the sentence that should be true."""

    def made(look: Look) -> Check:
        about = About(
            check_id=check_id,
            title=(look.__doc__ or "").strip().removesuffix("."),
            severity=severity,
            sonos=sonos,
            way_out=way_out,
            source=source,
            modes=modes,
        )
        return Check(about=about, look=look)

    return made


def unless_result(answer: Answer) -> str | None:
    """Return what came if it is not the result of its method with HTTP 200."""
    return None if answer.is_result and answer.status == 200 else f"{answer.method}: {answer.shown}"


def unless_fault(answer: Answer, *codes: str) -> str | None:
    """Return what came if it is not a fault, or, where codes are given, none of these."""
    fault = answer.fault
    if fault is not None and (not codes or fault.code in codes):
        return None
    return f"{answer.method}: {answer.shown}"


def counted(problems: list[str]) -> str | None:
    """Return the first few problems in one line, None if there is none."""
    if not problems:
        return None
    more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(dict.fromkeys(problems[:3])) + more
