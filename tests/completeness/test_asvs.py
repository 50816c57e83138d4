"""docs/asvs.md has every section of ASVS 5.0 at levels 1 and 2, and what it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/asvs.md").read_text()
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in re.findall(r"^\| V\d+\.\d+ \|.*\|$", PAGE, re.MULTILINE)
]
SECTIONS: dict[int, tuple[int, ...]] = {
    1: (1, 2, 3, 4, 5),
    2: (1, 2, 3, 4),
    3: (2, 3, 4, 5, 7),
    4: (1, 2, 3, 4),
    5: (1, 2, 3, 4),
    6: (1, 2, 3, 4, 5, 6, 8),
    7: (1, 2, 3, 4, 5, 6),
    8: (1, 2, 3, 4),
    9: (1, 2),
    10: (1, 2, 3, 4, 5, 6, 7),
    11: (1, 2, 3, 4, 5, 6),
    12: (1, 2, 3),
    13: (1, 2, 3, 4),
    14: (1, 2, 3),
    15: (1, 2, 3),
    16: (1, 2, 3, 4, 5),
    17: (1, 2, 3),
}
"""Chapter -> its sections with a requirement at level 1 or 2; the others have some at level 3 alone."""


def test_every_section_has_its_row() -> None:
    """In the order of the standard."""
    assert [f"V{chapter}.{number}" for chapter, numbers in SECTIONS.items() for number in numbers] == [
        section for section, *_ in ROWS
    ]


@pytest.mark.parametrize(
    ("state", "shown_by"), [(row[2], row[4]) for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_is_claimed_is_shown(state: str, shown_by: str) -> None:
    """By tests that exist; only where there is nothing of the kind, none is needed."""
    tests = re.findall(r"`([^`]+)`", shown_by)
    missing = []
    for test in tests:
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
        if f"def {name}(" not in text and (name or not text):
            missing.append(test)

    assert state in {"met", "part", "operator", "none here"}
    assert (state == "none here") == (not tests)
    assert [] == missing


def test_gaps_are_told() -> None:
    """Every section that is met in part has its missing requirements in the list, and no other section has."""
    gaps = {
        f"V{number.rpartition('.')[0]}"
        for number in re.findall(r"\b\d+\.\d+\.\d+\b", PAGE.split("## Gaps")[1])
    }

    assert {section for section, _, state, *_ in ROWS if state == "part"} == gaps
