"""`python -m tests.chaos`: runs experiments and prints what became of every household."""

import asyncio
import json
import sys
from pathlib import Path

import click
from rich.console import Console

from tests.chaos import report
from tests.chaos.experiments import EXPERIMENTS
from tests.chaos.experiments.base import Result
from tests.chaos.running import run
from tests.services.keeper import running_keeper


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Show the experiments and what each expects.")
@click.option("--gate", is_flag=True, help="Only those that every change has to pass.")
@click.option("--households", default=24, show_default=True, help="Simulated households in each experiment.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the results there."
)
@click.option(
    "--matrix", type=click.Path(dir_okay=False, path_type=Path), help="Write the failure matrix there."
)
def main(
    names: tuple[str, ...],
    *,
    listed: bool,
    gate: bool,
    households: int,
    json_file: Path | None,
    matrix: Path | None,
) -> None:
    r"""Break the whole system on purpose, and count what is lost, doubled, out of place or stuck.

    \b
    Example:
      python -m tests.chaos broker-killed commit-answers-lost --households 40
    """
    console = Console(soft_wrap=True)
    if listed:
        report.show_list(console, EXPERIMENTS)
        return
    unknown = set(names) - set(EXPERIMENTS)
    if unknown:
        raise click.BadParameter(f"no experiment {', '.join(sorted(unknown))}; --list shows all")
    chosen = [
        each for name, each in EXPERIMENTS.items() if (name in names or not names) and (each.gate or not gate)
    ]
    results: list[Result] = []
    with running_keeper() as keeper:
        for number, experiment in enumerate(chosen, 1):
            console.print(f"[{number}/{len(chosen)}] {experiment.name}: {experiment.title}")
            results.append(asyncio.run(run(experiment, keeper, households=households)))
            report.show(console, results[-1])
    report.show_table(console, results)
    if json_file:
        json_file.write_text(json.dumps([result.as_dict() for result in results], indent=2) + "\n")
    if matrix:
        matrix.write_text(report.matrix(results))
    sys.exit(not all(result.is_good for result in results))


if __name__ == "__main__":
    main()
