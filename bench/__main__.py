"""python -m bench: measures Latchkey beside the floor it stands on and beside its peers."""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from bench import backlog, capacity, figures, flows, footprint, herd, many, peers, report, rows
from bench.bed import Bed, open_bed
from bench.figures import Figure, Results
from bench.load import loop_factory
from bench.rows import Pace, Row, Say
from shared import logs

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    pace: Pace
    slow_pace: Pace
    households: int
    """Links and tokens that are polled and used."""
    refreshed: int
    grants: int
    links: int
    pending: int
    approvals: tuple[int, float]
    """A second, and for how many seconds."""
    herd: int
    starts: int


WHOLE = Size(
    # Many short ones in turn: a machine that is shared changes its pace within seconds, and both of a pair shall meet the same.
    pace=Pace(rounds=13, seconds=0.8),
    slow_pace=Pace(rounds=3, seconds=3.0),
    households=20_000,
    refreshed=20_000,
    grants=10_000_000,
    links=1_000_000,
    pending=100_000,
    approvals=(50, 10.0),
    herd=100_000,
    starts=3,
)
SHORT = Size(
    pace=Pace(rounds=1, seconds=0.4),
    slow_pace=Pace(rounds=1, seconds=0.5),
    households=200,
    refreshed=100,
    grants=2_000,
    links=500,
    pending=500,
    approvals=(20, 0.5),
    herd=200,
    starts=1,
)

PARTS = ("hot", "flows", "footprint", "many", "herd", "peers")


class Run:
    """One run, part by part; a part that fails does not take the others along."""

    def __init__(self, size: Size, say: Say) -> None:
        self._size = size
        self._say = say
        self.figures: list[Figure] = []
        self.failed: dict[str, str] = {}

    async def all(self, parts: frozenset[str]) -> None:
        """Measure the parts that were asked for."""
        if "footprint" in parts:
            await self._part("embedded", self._embedded)
        if parts & {"hot", "flows", "footprint"}:
            async with open_bed() as bed:
                await self._gateway(bed, parts)
        if "many" in parts:
            await self._part("many", self._many)
        if "herd" in parts:
            await self._part("herd", self._herd)
        if "peers" in parts:
            await self._part("peers", self._peers)

    async def _gateway(self, bed: Bed, parts: frozenset[str]) -> None:
        size = self._size
        await bed.start_worker("auth_worker")
        await bed.start_worker("token_worker")
        port = await bed.start_gateway()
        hot = await rows.hot_rows(bed, count=size.households)
        if "hot" in parts:
            await self._part("hot", lambda: rows.against_floor(bed, hot, port, size.pace, self._say))
        if "flows" in parts:
            await self._part("flows", lambda: self._flows(bed, port, hot[0]))
        if "footprint" in parts:
            await self._part("memory", lambda: self._memory(bed, port))

    async def _flows(self, bed: Bed, port: int, polls: Row) -> list[Figure]:
        size, pace = self._size, self._size.slow_pace
        rate, seconds = size.approvals
        return [
            *await flows.refreshes(bed, port, pace, self._say, most=size.refreshed),
            await flows.approvals(bed, port, self._say, rate=rate, seconds=seconds),
            await flows.two_gateways(bed, port, polls, pace, self._say),
            # The same work in more rounds: their ratios scatter.
            await backlog.twice(
                bed, replace(pace, rounds=2 * pace.rounds), self._say, count=size.refreshed // 2
            ),
            *await flows.new_links(bed, port, pace, self._say, count=size.households),
        ]

    async def _memory(self, bed: Bed, port: int) -> list[Figure]:
        return [await footprint.pending_links(bed, port, self._say, count=self._size.pending)]

    async def _many(self) -> list[Figure]:
        size = self._size
        async with open_bed() as bed:
            return await many.side_by_side(
                bed,
                size.pace,
                self._say,
                households=size.households,
                refreshed=size.refreshed // 10,
                grants=size.grants,
                links=size.links,
            )

    async def _embedded(self) -> list[Figure]:
        idle = 5.0 if self._size is WHOLE else 0.5
        return await footprint.embedded(self._say, starts=self._size.starts, idle=idle)

    async def _herd(self) -> list[Figure]:
        async with open_bed() as bed:
            return await herd.back_again(bed, self._say, households=self._size.herd)

    async def _peers(self) -> list[Figure]:
        async with open_bed() as bed:
            pace = replace(self._size.pace, rounds=min(self._size.pace.rounds, 5))
            found, failed = await peers.side_by_side(bed, pace, self._say)
            self.failed |= failed
            return found

    async def _part(self, name: str, measure: Callable[[], Awaitable[list[Figure]]]) -> None:
        try:
            self.figures += await measure()
        except Exception as error:  # noqa: BLE001 - the others are worth having all the same; the exit status tells
            self.failed[name] = f"{type(error).__name__}: {error}"


@click.command(
    epilog="Example: python -m bench --only hot --only flows --output /tmp/before",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--short", is_flag=True, help="A minute that proves that everything runs; its figures say nothing."
)
@click.option(
    "--only", multiple=True, type=click.Choice(PARTS), help="Measure this part; may be given again."
)
@click.option("--rounds", type=click.IntRange(1, 50), help="Rounds of each row of the hot path.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results. [default: bench/results; nothing is written with --short or --only]",
)
def main(*, short: bool, only: tuple[str, ...], rounds: int | None, output: Path | None) -> None:
    """Measure Latchkey on private PostgreSQL and RabbitMQ, beside bare aiohttp and beside its peers.

    Servers, peers and households are made for the run, and gone after it. Nothing is sent off this machine, except
    that peers are installed from their registries, once, into a folder of the cache.
    """
    size = SHORT if short else WHOLE
    if rounds:
        size = _with_rounds(size, rounds)
    logs.configure(level="error", format="console")
    # Whoever ends the run early: what it started goes with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console, begun = Console(stderr=True), time.monotonic()
    described = figures.machine({})
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
    ) as progress:
        task = progress.add_task("starting", total=None)
        run = Run(size, lambda what: _tell(progress, console, task, what))
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run.all(frozenset(only or PARTS)))
    results = Results(
        machine=described,
        short=short,
        seconds=time.monotonic() - begun,
        figures=run.figures,
        failed=run.failed,
    )
    report.show(results, Console(width=None if sys.stdout.isatty() else 160))
    if output or not (short or only):
        written = report.write(results, output or RESULTS)
        if output is None and not run.failed:
            written.append(capacity.write(results))
        for path in written:
            click.echo(f"written: {path}", err=True)
    raise SystemExit(1 if run.failed else 0)


def _tell(progress: Progress, console: Console, task: TaskID, what: str) -> None:
    """Show what is going on: in place on a terminal, line by line in a log."""
    progress.update(task, description=what)
    if not console.is_terminal:
        click.echo(what, err=True)


def _with_rounds(size: Size, rounds: int) -> Size:
    return replace(
        size, pace=replace(size.pace, rounds=rounds), slow_pace=replace(size.slow_pace, rounds=rounds)
    )


if __name__ == "__main__":
    main()
