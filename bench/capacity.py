"""What carries how many households, reckoned from the results of a run, and written into docs/capacity.md.

    python -m bench.capacity     reckons anew from bench/results/results.json; `make bench` does it by itself

The page's own words stay; what stands between `<!-- reckoned: NAME -->` and `<!-- end -->` is written here.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from bench.figures import Figure, Results

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "capacity.md"
RESULTS = ROOT / "bench" / "results" / "results.json"

ROOM = 1.5
"""A machine that has other things to do takes so many times as long as the one that was measured."""
FULL = 0.6
"""Share of a core that a process takes at the peak, with one gateway away."""
HOUSEHOLDS = 10_000_000
HERD = 100_000

_BLOCK = re.compile(r"(<!-- reckoned: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What households do at the peak."""

    what: str
    name: str
    """Of the figure that says what it takes."""
    per_second: float
    others: Callable[[Figure], float]
    """Microseconds of broker and workers."""


def _none(_: Figure) -> float:
    return 0.0


def _broker_and_worker(figure: Figure) -> float:
    return _detail(figure, "broker_cpu_us") + _detail(figure, "worker_cpu_us")


def _broker_and_workers_of_a_link(figure: Figure) -> float:
    # Six events of a link go through two workers, each for itself; their time is not among the figures, and decides nothing.
    return _detail(figure, "broker_cpu_us") + 4_000


CALLS = (
    Call(what="guarded call that is answered", name="guarded", per_second=20_300, others=_none),
    Call(what="refresh", name="refresh", per_second=560, others=_broker_and_worker),
    Call(what="poll, pending", name="poll_pending", per_second=93, others=_none),
    Call(
        what="`getAppLink`, with all that follows from it",
        name="app_link_busy",
        per_second=4.6,
        others=_broker_and_workers_of_a_link,
    ),
)


def reckoned(page: str, results: Results) -> str:
    """Return the page with what these results come to.

    Raises:
        KeyError: the run did not measure something that the page rests on, or the page names a block that is not made here.
    """
    figures = {figure.name: figure for figure in results.figures}
    return _BLOCK.sub(lambda found: f"{found[1]}{_BLOCKS[found[2]](figures)}\n{found[3]}", page)


def _takes(figures: Mapping[str, Figure]) -> str:
    lines = [
        "| call | CPU of a gateway | of PostgreSQL | of broker and workers | cores at the peak |",
        "|---|---|---|---|---|",
    ]
    sums = [0.0, 0.0, 0.0]
    for call in CALLS:
        costs = [ROOM * cost for cost in _costs(call, figures[call.name])]
        cores = call.per_second * sum(costs) / 1e6
        sums = [had + call.per_second * cost / 1e6 for had, cost in zip(sums, costs, strict=True)]
        spent = " | ".join(_microseconds(cost) for cost in costs)
        lines.append(f"| {call.what} | {spent} | {call.per_second:,g}/s: {max(cores, 0.1):.1f} |")
    return "\n".join([*lines, "", _machines(*sums)])


def _machines(gateway: float, postgres: float, others: float) -> str:
    gateways = math.ceil(gateway / FULL) + 1
    database = max(2, 2 * math.ceil(postgres / FULL))
    return (
        f"So ten million households are some {gateway + postgres + others:.1f} busy cores: {gateway:.1f} of gateways, {postgres:.1f} of PostgreSQL, "
        f"{others:.1f} of broker and workers. **{gateways} gateways, two of each worker, a database of {database} cores and a broker of two** carry them "
        "with one gateway away."
    )


def _workers(figures: Mapping[str, Figure]) -> str:
    cost = figures["two_workers"].details.get("alone_cpu_us")
    if not isinstance(cost, float):
        return "   How many refreshes one of them works off was not measured in this run."
    return f"   A full one takes {cost:.0f} µs for each refresh: {_rounded(1e6 / cost)} a second on a core."


def _outage(figures: Mapping[str, Figure]) -> str:
    rate = figures["refresh"].value
    minutes = HOUSEHOLDS / rate / 60
    return (
        f"At {_rounded(rate)} refreshes a second on two cores, {HERD:,} households are back in {HERD / rate:.0f} s once they ask, and ten million in use at once "
        f"would take {minutes:.0f} minutes on two cores, or {minutes / 10:.0f} on twenty.{_herd(figures)}"
    )


def _herd(figures: Mapping[str, Figure]) -> str:
    if "herd_seconds" not in figures:
        return ""
    seconds, p99, away = (figures[f"herd_{name}"].value for name in ("seconds", "p99", "sent_away"))
    return (
        f" Measured on two cores with the simulated households on them, too: all fresh after {seconds:.0f} s, p99 of a call {p99:,.0f} ms, "
        f"{away:.0f} told to sign in again."
    )


_BLOCKS: dict[str, Callable[[Mapping[str, Figure]], str]] = {
    "takes": _takes,
    "workers": _workers,
    "outage": _outage,
}


def _costs(call: Call, figure: Figure) -> tuple[float, float, float]:
    gateway = figure.details.get("gateway_cpu_us", figure.details.get("cpu_us"))
    assert isinstance(gateway, float)
    return gateway, _detail(figure, "postgres_cpu_us"), call.others(figure)


def _detail(figure: Figure, name: str) -> float:
    value = figure.details[name]
    assert isinstance(value, float)
    return value


def _microseconds(cost: float) -> str:
    return f"{_rounded(cost)} µs" if cost else "-"


def _rounded(value: float) -> str:
    """Return a number with two digits that say something."""
    scale = 10 ** max(math.floor(math.log10(value)) - 1, 0)
    return f"{round(value / scale) * scale:,.0f}"


def write(results: Results, page: Path = PAGE) -> Path:
    """Write into the page what these results come to, and return where."""
    page.write_text(reckoned(page.read_text(), results))
    return page


@click.command(
    epilog="Example: python -m bench.capacity", context_settings={"help_option_names": ["-h", "--help"]}
)
def main() -> None:
    """Reckon docs/capacity.md anew from bench/results/results.json."""
    click.echo(f"written: {write(msgspec.json.decode(RESULTS.read_bytes(), type=Results))}", err=True)


if __name__ == "__main__":
    main()
