"""`python -m tests.chaos`: runs experiments and prints what became of every household."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from tests.chaos import report
from tests.chaos.experiments import EXPERIMENTS
from tests.chaos.experiments.base import Experiment, Record
from tests.chaos.running import run
from tests.services.keeper import running_keeper


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Show the experiments and what each expects.")
@click.option("--gate", is_flag=True, help="Only those that every change has to pass.")
@click.option("--households", default=24, show_default=True, help="Simulated households in each experiment.")
@click.option(
    "--broker",
    type=click.Choice(["3", "4"]),
    default="3",
    show_default=True,
    help="Which RabbitMQ; 4 is of rabbit4.sh.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Put the results there, beside those of other experiments that are there already.",
)
@click.option(
    "--matrix",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the failure matrix there, of these results and of all in the file of --json.",
)
def main(
    names: tuple[str, ...],
    *,
    listed: bool,
    gate: bool,
    households: int,
    broker: str,
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
    records = json.loads(json_file.read_text()) if json_file and json_file.exists() else {}
    done = asyncio.run(
        _run(console, chosen, records, households=households, broker=broker, json_file=json_file)
    )
    report.show_table(console, done)
    if matrix:
        matrix.write_text(
            report.matrix([records[name] for name in EXPERIMENTS if name in records], of=len(EXPERIMENTS))
        )
    sys.exit(not all(record["good"] for record in done))


async def _run(
    console: Console,
    chosen: Sequence[Experiment],
    records: dict[str, Record],
    *,
    households: int,
    broker: str,
    json_file: Path | None,
) -> list[Record]:
    """Run experiments, tell of each as soon as it is over, and return their records."""
    done: list[Record] = []
    kind = {"3": "rabbit", "4": "rabbit 4"}[broker]
    with running_keeper() as keeper:
        results = run(chosen, keeper, households=households, broker=kind)
        async with contextlib.aclosing(results):
            async for result in results:
                done.append(result.as_dict() | {"rabbitmq": broker})
                report.show(console, result, f"{len(done)}/{len(chosen)}")
                records[result.experiment.name] = done[-1]
                if json_file:
                    json_file.write_text(json.dumps(records, indent=2) + "\n")
    return done


if __name__ == "__main__":
    main()
