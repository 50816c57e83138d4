"""What pages of documentation have typed into a terminal: blocks marked `console`, in which each command begins with `$ `."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_CONSOLE = re.compile(r"^ *```console\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def scripts(page: str) -> list[str]:
    """Return the commands of each block of a page, without what they print."""
    blocks = _CONSOLE.findall((ROOT / page).read_text())
    return [
        "\n".join(
            line.strip().removeprefix("$ ") for line in block.splitlines() if line.strip().startswith("$ ")
        )
        for block in blocks
    ]
