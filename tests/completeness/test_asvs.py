"""docs/asvs.md has every requirement of ASVS 5.0 at levels 1 and 2, and what it names is there."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/asvs.md").read_text()
TABLES, GAPS = PAGE.split("\n## Gaps\n")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in re.findall(r"^\| \d.*\|$", TABLES, re.MULTILINE)
]
STATES = ("met", "part", "operator", "none here")
REQUIREMENTS: dict[int, dict[int, str]] = {
    1: {1: "22", 2: "1111122223", 3: "112222222223", 4: "222", 5: "123"},
    2: {1: "122", 2: "112", 3: "12223", 4: "23"},
    3: {1: "3", 2: "113", 3: "12223", 4: "11222233", 5: "11122333", 6: "3", 7: "22333"},
    4: {1: "12233", 2: "23333", 3: "22", 4: "1222"},
    5: {1: "2", 2: "112333", 3: "113", 4: "222"},
    6: {
        1: "122",
        2: "111111112222",
        3: "11223333",
        4: "112233",
        5: "22222333",
        6: "2223",
        7: "33",
        8: "2222",
    },
    7: {1: "222", 2: "1111", 3: "22", 4: "11222", 5: "223", 6: "22"},
    8: {1: "1233", 2: "1123", 3: "133", 4: "23"},
    9: {1: "111", 2: "1222"},
    10: {1: "22", 2: "223", 3: "22223", 4: "1111122222233333", 5: "22222", 6: "22", 7: "222"},
    11: {1: "2233", 2: "22233", 3: "11233", 4: "1222", 5: "23", 6: "23", 7: "33"},
    12: {1: "12233", 2: "11", 3: "22223"},
    13: {1: "2333", 2: "222223", 3: "2233", 4: "1222233"},
    14: {1: "22", 2: "12223333", 3: "122"},
    15: {1: "12233", 2: "12233", 3: "1222222", 4: "3333"},
    16: {1: "2", 2: "22222", 3: "2222", 4: "222", 5: "2223"},
    17: {1: "23", 2: "22223333", 3: "22"},
}
"""Chapter -> section -> the levels of its requirements, from the first on; those of level 3 are not on the page."""


def test_every_requirement_has_its_row() -> None:
    """With its level, in the order of the standard."""
    assert [
        (f"{chapter}.{section}.{number}", level)
        for chapter, sections in REQUIREMENTS.items()
        for section, levels in sections.items()
        for number, level in enumerate(levels, 1)
        if level != "3"
    ] == [row[:2] for row in ROWS]


def test_every_chapter_has_its_heading() -> None:
    """With its own rows below it, and no others."""
    chapters = re.split(r"^## V(\d+) .*$", TABLES, flags=re.MULTILINE)[1:]
    found = {
        int(chapter): set(re.findall(r"^\| (\d+)\.", rows, re.MULTILINE))
        for chapter, rows in zip(chapters[::2], chapters[1::2], strict=True)
    }

    assert {chapter: {str(chapter)} for chapter in REQUIREMENTS} == found


def test_what_is_claimed_is_shown() -> None:
    """By tests that exist; only where there is nothing of the kind, none is needed."""
    shown = {row[0]: re.findall(r"`([^`]+)`", row[5]) for row in ROWS}
    states = {row[0]: row[3] for row in ROWS}

    assert set(states.values()) <= set(STATES)
    assert [number for number, state in states.items() if state == "none here"] == [
        number for number, tests in shown.items() if not tests
    ]
    assert [] == [(number, test) for number, tests in shown.items() for test in tests if not is_there(test)]


@cache
def is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    text = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
    return f"def {name}(" in text if name else bool(text)


def test_gaps_are_told() -> None:
    """Every requirement that is met in part is in the list, once, and no other is."""
    gaps = [
        number
        for cell in re.findall(r"^\| (\d[^|]*)\|", GAPS, re.MULTILINE)
        for number in cell.strip().split(", ")
    ]

    assert sorted(row[0] for row in ROWS if row[3] == "part") == sorted(gaps)


def test_figures_are_those_of_the_rows() -> None:
    """What the page says of itself at its beginning."""
    counted = Counter(row[3] for row in ROWS)
    told = "Of {} requirements, {} are `met`, {} `part`, {} `operator` and {} `none here`."

    assert told.format(len(ROWS), *(counted[state] for state in STATES)) in PAGE
