"""Counts what `mutmut run` left behind: which changes of the code no test noticed, module by module.

    python -m tests.measure.mutants [--least 90]

Exit status 1 if too few were noticed. `make mutants` runs both.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

NOTICED = ("killed", "timeout", "segfault", "caught by type check")
UNNOTICED = ("survived", "no tests", "suspicious")
_LINE = re.compile(r"^ *([\w.ǁ]+)__mutmut_\d+: (.+)$", re.MULTILINE)


def counted(results: str) -> dict[str, Counter[str]]:
    """Return module -> how often each came out, from what `mutmut results --all true` says."""
    modules: dict[str, Counter[str]] = defaultdict(Counter)
    for name, outcome in _LINE.findall(results):
        modules[name.rpartition(".")[0]][outcome] += 1
    return modules


def total(outcomes: Mapping[str, int], kinds: Iterable[str]) -> int:
    """Return how many are of these kinds."""
    return sum(outcomes.get(kind, 0) for kind in kinds)


def main() -> None:
    """Count, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--least", type=float, default=90.0, help="per cent that have to be noticed")
    least = parser.parse_args().least
    command = [str(Path(sys.executable).with_name("mutmut")), "results", "--all", "true"]
    modules = counted(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    everything: Counter[str] = sum(modules.values(), Counter())
    for name, outcomes in sorted({**modules, "all": everything}.items(), key=lambda each: each[0] == "all"):
        noticed, unnoticed = total(outcomes, NOTICED), total(outcomes, UNNOTICED)
        print(f"{name:40}{noticed:6} noticed{unnoticed:6} not{outcomes['not checked']:6} not checked")
    judged = total(everything, NOTICED) + total(everything, UNNOTICED)
    share = 100 * total(everything, NOTICED) / judged if judged else 0.0
    print(
        f"{share:.1f} % of {judged} changes were noticed; `mutmut show NAME` shows one, docs/mutants.md explains them"
    )
    sys.exit(share < least or everything["not checked"] > 0)


if __name__ == "__main__":
    main()
