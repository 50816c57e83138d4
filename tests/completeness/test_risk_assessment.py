"""docs/risk-assessment.md answers all seventeen mitigations, and what it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "risk-assessment.md").read_text()
ROWS = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)


def test_every_mitigation_has_its_row() -> None:
    """One to seventeen, as RFC 10027 lists them."""
    assert [str(number) for number in range(1, 18)] == [number for number, *_ in ROWS]


@pytest.mark.parametrize(("where", "shown_by"), [row[3:] for row in ROWS], ids=[row[1] for row in ROWS])
def test_files_and_tests_are_there(where: str, shown_by: str) -> None:
    """Each row names files of the product, and tests that exist."""
    files, tests = re.findall(r"`([^`]+)`", where), re.findall(r"`([^`]+)`", shown_by)
    missing = [file for file in files if not (ROOT / file).is_file()]
    for test in tests:
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
        if f"def {name}(" not in text and (name or not text):
            missing.append(test)

    assert files
    assert tests
    assert [] == missing
