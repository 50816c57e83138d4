"""Shows what the doctor found: as a table for people, and as JSON."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from deploy.doctor.lines import FINDINGS, Line, State

FORMAT = "latchkey-doctor/1"
_MARKS = {
    State.OK: "[green]ok[/]",
    State.WARN: "[bold yellow]warn[/]",
    State.WRONG: "[bold red]wrong[/]",
    State.SKIPPED: "[dim]skipped[/]",
}


def show(lines: Sequence[Line], console: Console) -> None:
    """Print every line, then each finding with its way out, then the sum."""
    table = Table("Check", "", "Seen", box=None, pad_edge=False)
    for name, line in _rows(lines):
        table.add_row(name, _MARKS[line.state], Text(line.said))
    console.print(table)
    for line in findings(lines):
        console.print(f"\n{_MARKS[line.state]} [bold]{line.check_id}[/]")
        grid = Table.grid(padding=(0, 2))
        for label, text in (("should be", f"{line.title}."), ("seen", line.said), ("way out", line.way_out)):
            grid.add_row(f"  [dim]{label}[/]", Text(text))
        console.print(grid)
    counts = ", ".join(f"{sum(line.state is state for line in lines)} {state.value}" for state in State)
    console.print(f"\n{len(lines)} checks: {escape(counts)}")


def _rows(lines: Sequence[Line]) -> Iterator[tuple[str, Line]]:
    """Give a row for each line, and one alone for neighbours of a group that are skipped for the same reason."""

    def alike(line: Line) -> tuple[str, str]:
        if line.state is not State.SKIPPED:
            return line.check_id, ""
        return line.check_id.partition(".")[0], line.said

    for _, each in groupby(lines, alike):
        first, *others = each
        yield f"{first.check_id} and {len(others)} more" if others else first.check_id, first


def as_json(lines: Sequence[Line]) -> str:
    """Return all of it as JSON; the format has a version."""
    document = {
        "format": FORMAT,
        "healthy": not findings(lines),
        "checks": [
            {
                "id": line.check_id,
                "title": line.title,
                "state": line.state.value,
                "said": line.said,
                "way_out": line.way_out,
            }
            for line in lines
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def findings(lines: Sequence[Line]) -> list[Line]:
    """Return what is not as it should be, what is wrong first."""
    found = [line for line in lines if line.state in FINDINGS]
    return sorted(found, key=lambda line: line.state is State.WARN)
