"""How a check of `latchkey doctor` is written: a small function that judges what was seen, without looking itself."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from deploy.doctor.seen import Seen


class State(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARN = "warn"
    """It works, and will not always, or not safely."""
    WRONG = "wrong"
    """It does not work, or is not safe."""
    SKIPPED = "skipped"


FINDINGS = frozenset({State.WARN, State.WRONG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check came to, and what was seen."""

    state: State
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the report."""

    check_id: str
    """`group.name`."""
    title: str
    """What should be so."""
    state: State
    said: str
    way_out: str


Judge = Callable[[Seen], Verdict]
"""Judges what was seen.

Raises:
    Skipped: there is nothing to judge.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to judge."""

    check_id: str
    title: str
    way_out: str
    judge: Judge

    def line(self, verdict: Verdict) -> Line:
        """Return the line of a verdict."""
        return Line(
            check_id=self.check_id,
            title=self.title,
            state=verdict.state,
            said=verdict.said,
            way_out=self.way_out,
        )


def check(check_id: str, *, way_out: str) -> Callable[[Judge], Check]:
    """Make a check of a function; its docstring is the sentence that should be true."""

    def made(judge: Judge) -> Check:
        title = (judge.__doc__ or "").strip().removesuffix(".")
        return Check(check_id=check_id, title=title, way_out=way_out, judge=judge)

    return made


def ok(said: str) -> Verdict:
    """Say that all is well."""
    return Verdict(state=State.OK, said=said)


def warn(said: str) -> Verdict:
    """Say that it will not always be."""
    return Verdict(state=State.WARN, said=said)


def wrong(said: str) -> Verdict:
    """Say that it is not."""
    return Verdict(state=State.WRONG, said=said)


def unless(problems: list[str], well: str, *, otherwise: Callable[[str], Verdict] = wrong) -> Verdict:
    """Say that all is well, or the first few problems and how many more there are."""
    if not problems:
        return ok(well)
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return otherwise("; ".join(problems[:3]) + more)
