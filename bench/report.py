"""Results as a table, as JSON and as plots."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Results

_PAPER, _INK, _FLOOR, _OURS, _THEIRS = "#ffffff", "#222222", "#bbbbbb", "#1f6f8b", "#c98b2b"


def write(results: Results, folder: Path) -> list[Path]:
    """Write everything into *folder* and return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "results.json", folder / "results.md"]
    written[0].write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    written[1].write_text(markdown(results))
    return [*written, *_plots(results, folder)]


def table(results: Results) -> Table:
    """Return the table for a terminal."""
    shown = Table(title="Latchkey, side by side with the floor", title_justify="left")
    for name, justify in (
        ("what", "left"),
        *((name, "right") for name in ("median", "spread", "at least", "aim", "p99", "CPU")),
    ):
        shown.add_column(name, justify=justify)
    for each in results.figures:
        style = {True: "green", False: "red", None: ""}[each.reaches]
        shown.add_row(*_cells(each), style=style)
    return shown


def show(results: Results, console: Console) -> None:
    """Print the table, and what could not be measured."""
    console.print(table(results))
    for part, why in results.failed.items():
        console.print(f"[red]not measured: {part}: {why}")


def markdown(results: Results) -> str:
    """Return the table as text that can be read anywhere."""
    machine = results.machine
    packages = ", ".join(
        f"{name} {version}" for name, version in {**machine.packages, **machine.servers}.items()
    )
    rows = "\n".join(f"| {' | '.join(_cells(each))} |" for each in results.figures)
    failed = "".join(f"\nNot measured: {part}: {why}\n" for part, why in results.failed.items())
    return f"""# Results of `make bench`{" --short" if results.short else ""}

{machine.cores} cores of {machine.model}, {machine.memory_gb} GB, Linux {machine.kernel}, {machine.python}. {packages}.
Load average before: {machine.load_before:g}. The run took {results.seconds:.0f} s.

A ratio is the rate of one gateway on one core to that of a bare aiohttp handler that answers as many bytes, measured in turn in the same run;
"at least" and "aim" are of the median. Milliseconds, megabytes, seconds and costs are better when less.

| what | median | spread | at least | aim | p99 | CPU |
|---|---|---|---|---|---|---|
{rows}
{failed}"""


def _cells(each: Figure) -> tuple[str, ...]:
    unit = {"ratio": "", "times": " times", "times the cost": " times the cost"}.get(
        each.unit, f" {each.unit}"
    )
    details = each.details
    p99 = details.get("p99_ms")
    cpu = details.get("cpu_us")
    cpu_ratio = f" ({details['cpu_ratio']:.2f})" if "cpu_ratio" in details else ""
    return (
        each.what,
        f"{_number(each.value)}{unit}",
        f"{_number(each.low)} to {_number(each.high)}",
        "" if each.at_least is None else _number(each.at_least),
        "" if each.aim is None else _number(each.aim),
        f"{p99:.1f} ms" if isinstance(p99, float) else "",
        f"{cpu:.0f} µs{cpu_ratio}" if isinstance(cpu, float) else "",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _plots(results: Results, folder: Path) -> list[Path]:
    """Draw what can be drawn, where matplotlib is installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return []
    mpl.use("svg")
    # The same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": "latchkey", "svg.fonttype": "none", "font.family": "sans-serif"})
    ratios = [each for each in results.figures if each.unit == "ratio"]
    drawn = [_bars(ratios, "Share of a bare aiohttp handler's rate, one core", folder / "ratios.svg")]
    latencies = [each for each in results.figures if each.unit == "ms"]
    drawn.append(_bars(latencies, "Milliseconds (less is better)", folder / "latencies.svg"))
    return [path for path in drawn if path is not None]


def _bars(figures: Sequence[Figure], title: str, path: Path) -> Path | None:
    from matplotlib import pyplot as plt

    if not figures:
        return None
    shown = list(reversed(figures))
    drawing, axes = plt.subplots(figsize=(9, 0.5 * len(shown) + 1.2), facecolor=_PAPER)
    colours = [_THEIRS if each.name.startswith("peer_") else _OURS for each in shown]
    values = [each.value for each in shown]
    spread = [[each.value - each.low for each in shown], [each.high - each.value for each in shown]]
    axes.barh(
        [each.what for each in shown], values, xerr=spread, color=colours, ecolor=_INK, height=0.6, capsize=3
    )
    for at, each in enumerate(shown):
        if each.at_least is not None:
            axes.plot([each.at_least] * 2, [at - 0.4, at + 0.4], color=_INK, linewidth=1.5)
    axes.set_title(f"{title}; the line is the bar to reach", loc="left", fontsize=10, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=_FLOOR, linewidth=0.5)
    axes.set_axisbelow(True)
    drawing.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(drawing)
    return path
