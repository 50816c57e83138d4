"""What is told of experiments: a table for the terminal, and the page of the failure matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from tests.chaos.experiments.base import Experiment, Record, Result

COLUMNS = ("attempted", "acknowledged", "ok", "lost", "duplicated", "unexpected", "stuck")
OPERATIONS = {
    "getAppLink": "begin a link",
    "page": "the page in the browser",
    "poll": "a poll while the link is pending",
    "guarded call": "a call of a linked household",
    "refresh": "a refresh",
}
MOST_FACTS = 8
_NOTICE = "This page is made from the results of `make chaos`.\n"


def show_list(console: Console, experiments: Mapping[str, Experiment]) -> None:
    """Print what there is."""
    for experiment in experiments.values():
        gate = " [every change]" if experiment.gate else ""
        console.print(
            f"{experiment.number:>3}  {experiment.name}{gate}\n     {experiment.title}", markup=False
        )


def show(console: Console, result: Result, place: str) -> None:
    """Print one result; *place* says which of how many."""
    counts = " ".join(f"{name}={value}" for name, value in asdict(result.counts).items())
    verdict = "good" if result.is_good else "NOT GOOD"
    experiment = result.experiment
    console.print(f"[{place}] {experiment.number} {experiment.name}: {experiment.title}", markup=False)
    console.print(f"    {verdict} after {result.seconds:.0f} s: {counts}", markup=False)
    for line in (*result.facts, *result.surprises[:10]):
        console.print(f"    - {line}", markup=False)


def show_table(console: Console, records: Sequence[Record]) -> None:
    """Print all results side by side."""
    table = Table("no.", "experiment", *COLUMNS, "seconds", "verdict")
    for record in records:
        verdict = "good" if record["good"] else "NOT GOOD"
        numbers = [str(record[name]) for name in (*COLUMNS, "seconds")]
        table.add_row(str(record["number"]), record["name"], *numbers, verdict)
    console.print(table)
    good = sum(record["good"] for record in records)
    console.print(f"{good} passed, {len(records) - good} failed")


def matrix(records: Sequence[Record], *, of: int) -> str:
    """Return the page: what is down, what still works, what a household sees; *of* how many experiments these are results."""
    rows = [record for record in records if record["down"]]
    lines = [
        "# What still works when something is down",
        "",
        _NOTICE,
        "Two gateways and two of each worker, while households link, browse and refresh without pause. Each cell says how calls",
        "were answered while the fault lasted: `ok`; `come again` (`Server.ServiceUnavailable`, which ends nothing) or",
        "`pending` (`Client.NOT_LINKED_RETRY`); `no answer` is a connection that was refused or cut. A household that hears",
        "`come again` asks again by itself, and a person sees a page that says so; nobody has to link again.",
        "",
        "| what is down | " + " | ".join(OPERATIONS.values()) + " | lost | doubled |",
        "|---" * (len(OPERATIONS) + 3) + "|",
    ]
    for record in rows:
        cells = [_cell(record["seen"].get(operation, {})) for operation in OPERATIONS]
        lines.append(
            f"| {record['down']} | " + " | ".join(cells) + f" | {record['lost']} | {record['duplicated']} |"
        )
    lines += [
        "",
        "## Every experiment",
        "",
        f"{len(records)} of {of} have been run for this page, {sum(not record['good'] for record in records)} of them with a",
        "verdict that is not good; such a row is a failure until somebody has shown otherwise.",
        "",
        "`out of place` counts answers that nobody may ever get, tracebacks, messages given up without a reason, and a system",
        "that is not whole afterwards; `stuck` households that neither got a pair nor were told why.",
        "",
        "| no. | what is done | households | lost | doubled | out of place | stuck | verdict | what was measured |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {record['number']} | {record['title']} | {record['attempted']} | {record['lost']} | {record['duplicated']} "
        f"| {record['unexpected']} | {record['stuck']} | {'good' if record['good'] else '**not good**'} "
        f"| {'; '.join(record['facts'][:MOST_FACTS])} |"
        for record in records
    ]
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
