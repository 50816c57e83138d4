"""What is told of experiments: a table for the terminal, and the page of the failure matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from tests.chaos.experiments.base import Experiment, Result

COLUMNS = ("attempted", "acknowledged", "ok", "lost", "duplicated", "unexpected", "stuck")
OPERATIONS = {
    "getAppLink": "begin a link",
    "page": "the page in the browser",
    "poll": "a poll while the link is pending",
    "guarded call": "a call of a linked household",
    "refresh": "a refresh",
}
_NOTICE = "This page is made from the results of `make chaos`.\n"


def show_list(console: Console, experiments: Mapping[str, Experiment]) -> None:
    """Print what there is."""
    for experiment in experiments.values():
        gate = " [every change]" if experiment.gate else ""
        console.print(
            f"{experiment.number:>3}  {experiment.name}{gate}\n     {experiment.title}", markup=False
        )


def show(console: Console, result: Result) -> None:
    """Print one result."""
    counts = " ".join(f"{name}={value}" for name, value in asdict(result.counts).items())
    verdict = "good" if result.is_good else "NOT GOOD"
    console.print(f"    {verdict} after {result.seconds:.0f} s: {counts}", markup=False)
    for line in (*result.facts, *result.surprises[:10]):
        console.print(f"    - {line}", markup=False)


def show_table(console: Console, results: Sequence[Result]) -> None:
    """Print all results side by side."""
    table = Table("no.", "experiment", *COLUMNS, "verdict")
    for result in results:
        counts = asdict(result.counts)
        verdict = "good" if result.is_good else "NOT GOOD"
        numbers = [str(counts[name]) for name in COLUMNS]
        table.add_row(str(result.experiment.number), result.experiment.name, *numbers, verdict)
    console.print(table)


def matrix(results: Sequence[Result]) -> str:
    """Return the page: what is down, what still works, what a household sees."""
    rows = [result for result in results if result.experiment.down]
    lines = [
        "# What still works when something is down",
        "",
        _NOTICE,
        "Two gateways and two of each worker, while households link, browse and refresh without pause. Each cell says how calls",
        "were answered while the fault lasted: `ok`; `come again` (`Server.ServiceUnavailable`, which ends nothing) or",
        "`pending` (`Client.NOT_LINKED_RETRY`); `no answer` is a connection that was refused or cut.",
        "",
        "| what is down | " + " | ".join(OPERATIONS.values()) + " | lost | doubled |",
        "|---" * (len(OPERATIONS) + 3) + "|",
    ]
    for result in rows:
        cells = [_cell(result.seen.get(operation, {})) for operation in OPERATIONS]
        counts = result.counts
        lines.append(
            f"| {result.experiment.down} | " + " | ".join(cells) + f" | {counts.lost} | {counts.duplicated} |"
        )
    lines += [
        "",
        "## Every experiment",
        "",
        "| no. | what is done | households | lost | doubled | out of place | stuck |",
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for result in results:
        counts = result.counts
        lines.append(
            f"| {result.experiment.number} | {result.experiment.title} | {counts.attempted} | {counts.lost} "
            f"| {counts.duplicated} | {counts.unexpected} | {counts.stuck} |"
        )
    return "\n".join(lines) + "\n"


WORDS = {"Server.ServiceUnavailable": "come again", "Client.NOT_LINKED_RETRY": "pending"}


def _cell(outcomes: Mapping[str, int]) -> str:
    """Return the outcomes, the most frequent first, without those that were rare."""
    total = sum(outcomes.values())
    if not total:
        return "none came"
    ordered = sorted(outcomes.items(), key=lambda item: -item[1])
    shares = [(WORDS.get(outcome, outcome), round(100 * count / total)) for outcome, count in ordered]
    return ", ".join(f"{outcome} {share} %" for outcome, share in shares if share)
