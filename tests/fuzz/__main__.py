"""`python -m tests.fuzz`: fires generated and damaged SOAP requests at the gateway's own door."""

import asyncio
import gc
import resource
import secrets
import sys
import tempfile
from itertools import islice
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from tests.fuzz.door import Score, genuine, opened, overheard, overheard_canaries, put_in
from tests.fuzz.requests import shots

WARM_UP = 20_000
"""Requests after which memory is first looked at: by then every cache and pool is as large as it gets."""
FLAT_MB = 20.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--count", default=50_000, show_default=True, help="How many requests.")
@click.option("--seed", type=int, help="Repeat a run; without it a new one, whose seed is printed.")
def main(count: int, seed: int | None) -> None:
    r"""Fire requests that nobody would send, and check that SOAP, and nothing but SOAP, comes out.

    \b
    Example:
      python -m tests.fuzz --count 1000000 --seed 7
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    console = Console()
    console.print(f"seed {seed}")
    score, canaries, grown_mb = asyncio.run(run(count, seed, show_progress=sys.stdout.isatty()))
    for outcome, times in score.outcomes.most_common():
        console.print(f"{times:>10}  {outcome}")
    console.print(
        f"slowest {score.slowest_ms:.1f} ms, above 50 ms: {score.slow}; memory after warm-up {grown_mb:+.1f} MB; "
        f"log lines with a word of a request: {canaries}"
    )
    for line in score.wrong[:20]:
        console.print(f"WRONG {line}", markup=False)
    sys.exit(bool(score.wrong or canaries or grown_mb > FLAT_MB))


async def run(count: int, seed: int, *, show_progress: bool = False) -> tuple[Score, int, float]:
    """Fire *count* requests; return the score, the log lines that tell of them, and by how many MB this process grew."""
    score, canaries, settled_kb = Score(), 0, 0
    with tempfile.TemporaryDirectory(prefix="latchkey-fuzz-") as folder, overheard() as heard:
        async with opened(Path(folder)) as context:
            fired = islice(shots(seed, genuine=await genuine(context)), count)
            numbered = enumerate(track(fired, total=count, disable=not show_progress))
            for number, shot in numbered:
                await put_in(shot, number, context, score)
                if number % 20 == 0:
                    # The workers run in this process, too.
                    await asyncio.sleep(0)
                if number % 1000 == 0:
                    canaries += overheard_canaries(heard.getvalue())
                    heard.seek(0)
                    heard.truncate()
                if number == min(WARM_UP, count - 1):
                    settled_kb = _resident_kb()
            grown = (_resident_kb() - settled_kb) / 1024
        canaries += overheard_canaries(heard.getvalue())
    return score, canaries, grown


def _resident_kb() -> int:
    gc.collect()
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
