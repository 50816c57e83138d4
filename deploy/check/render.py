"""Shows what a run has found: as a table for people, as JSON, as JUnit for CI."""

import json
from html import escape

from rich.console import Console, Group, RenderableType
from rich.markup import escape as plain
from rich.table import Table
from rich.text import Text

from deploy.check.report import Outcome, Report, Severity, State
from deploy.check.table import GROUPS

FORMAT = "latchkey-check/1"
_MARKS = {State.CLEAN: "[green]ok[/]", State.SKIPPED: "[dim]skipped[/]"}


def show(report: Report, console: Console, *, verbose: bool) -> None:
    """Print the table of groups or, *verbose*, of checks; every finding; and the sum."""
    console.print(f"\nSMAPI service at [bold]{plain(report.endpoint)}[/], of the kind {report.mode.value}\n")
    console.print(_by_check(report) if verbose else _by_group(report))
    for finding in report.findings:
        console.print(_explained(finding))
    console.print(_sum(report))


def _by_group(report: Report) -> RenderableType:
    table = Table("Checks", "", "Result", box=None, pad_edge=False)
    for group, title in GROUPS.items():
        outcomes = [outcome for outcome in report.outcomes if outcome.about.group == group]
        if outcomes:
            table.add_row(f"[bold]{group}[/]", title, _tally(outcomes))
    return table


def _tally(outcomes: list[Outcome]) -> str:
    states = [outcome.state for outcome in outcomes]
    found, clean = states.count(State.FOUND), states.count(State.CLEAN)
    skipped = states.count(State.SKIPPED)
    parts = [f"[bold red]{found} found[/]"] if found else []
    parts += [f"[green]{clean} ok[/]"] if clean else []
    parts += [f"[dim]{skipped} skipped: {plain(_reason(outcomes))}[/]"] if skipped else []
    return ", ".join(parts)


def _reason(outcomes: list[Outcome]) -> str:
    reasons = list(dict.fromkeys(outcome.said for outcome in outcomes if outcome.state is State.SKIPPED))
    return reasons[0] if len(reasons) == 1 else f"{reasons[0]}; …"


def _by_check(report: Report) -> RenderableType:
    table = Table("Check", "Should be so", "Result", box=None, pad_edge=False)
    for outcome in report.outcomes:
        said = f" {plain(outcome.said)}" if outcome.said else ""
        table.add_row(outcome.about.check_id, plain(outcome.about.title), f"{_mark(outcome)}{said}")
    return table


def _mark(outcome: Outcome) -> str:
    if outcome.state is not State.FOUND:
        return _MARKS[outcome.state]
    colour = "bold red" if outcome.about.severity is Severity.WRONG else "bold yellow"
    return f"[{colour}]{outcome.about.severity.value}[/]"


def _explained(finding: Outcome) -> RenderableType:
    about = finding.about
    grid = Table.grid(padding=(0, 2))
    for label, text in (
        ("should be", f"{about.title}."),
        ("seen", finding.said),
        ("Sonos", about.sonos),
        ("way out", about.way_out),
        ("see", f"{about.source.title}, {about.source.url}"),
    ):
        grid.add_row(f"  [dim]{label}[/]", Text(text))
    return Group(Text(), Text.from_markup(f"{_mark(finding)} [bold]{about.check_id}[/]"), grid)


def _sum(report: Report) -> str:
    found = report.findings
    wrong = sum(finding.about.severity is Severity.WRONG for finding in found)
    clean, skipped = report.count(State.CLEAN), report.count(State.SKIPPED)
    figures = ", ".join(f"{name} {_figure(name, value)}" for name, value in report.figures.items())
    said = f"{wrong} wrong, {len(found) - wrong} warnings" if found else "nothing found"
    return f"\n{len(report.outcomes)} checks: {said}, {clean} ok, {skipped} skipped ({figures})"


def _figure(name: str, value: float) -> str:
    counts = name in {"answers", "load: households", "load: polls", "certificate: days left"}
    return f"{value:.0f}" if counts else f"{value:.1f} ms"


def as_json(report: Report) -> str:
    """Return all of it as JSON; the format has a version."""
    document = {
        "format": FORMAT,
        "endpoint": report.endpoint,
        "mode": report.mode.value,
        "clean": not report.findings,
        "figures": {name: round(value, 3) for name, value in report.figures.items()},
        "checks": [
            {
                "id": outcome.about.check_id,
                "title": outcome.about.title,
                "state": outcome.state.value,
                "severity": outcome.about.severity.value,
                "said": outcome.said,
                "sonos": outcome.about.sonos,
                "way_out": outcome.about.way_out,
                "source": {"title": outcome.about.source.title, "url": outcome.about.source.url},
                "seconds": round(outcome.seconds, 3),
            }
            for outcome in report.outcomes
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_junit(report: Report) -> str:
    """Return all of it as a JUnit test suite: one test case per check."""
    cases = "".join(_case(outcome) for outcome in report.outcomes)
    seconds = sum(outcome.seconds for outcome in report.outcomes)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuite name="latchkey check {_attribute(report.endpoint)}" tests="{len(report.outcomes)}" '
        f'failures="{len(report.findings)}" errors="0" skipped="{report.count(State.SKIPPED)}" time="{seconds:.3f}">\n'
        f"{cases}</testsuite>\n"
    )


def _case(outcome: Outcome) -> str:
    about = outcome.about
    head = (
        f'<testcase classname="latchkey.check.{about.group}" name="{_attribute(f"{about.check_id}: {about.title}")}" '
        f'time="{outcome.seconds:.3f}"'
    )
    if outcome.state is State.CLEAN:
        return f"{head}/>\n"
    said = _attribute(outcome.said)
    if outcome.state is State.SKIPPED:
        return f'{head}><skipped message="{said}"/></testcase>\n'
    text = f"Sonos: {about.sonos}\nWay out: {about.way_out}\nSee: {about.source.title}, {about.source.url}"
    return f'{head}><failure type="{about.severity.value}" message="{said}">{_attribute(text)}</failure></testcase>\n'


def _attribute(text: str) -> str:
    """Escape a text, without the characters that XML 1.0 cannot have."""
    return escape("".join(c if c >= " " or c == "\n" else "�" for c in text))
