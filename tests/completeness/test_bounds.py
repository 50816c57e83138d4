"""docs/bounds.md names every limit, with the number that it has in the code, and tests that exist."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bounds.md").read_text()
ROWS = re.findall(
    r"^\| (.+?) \| ([\d.]+) ([^|]*) \| `([^`]+)` \| (?:`([^`]+)`|(.+?)) \|$", PAGE, re.MULTILINE
)
PACKAGES = ("gateway", "auth_worker", "token_worker", "shared", "deploy/playground")
LIMIT = re.compile(
    r"_?((LARGEST|LONGEST|MOST|MAX)(_[A-Z_]+)?|([A-Z_]+_)?(SECONDS|LIMIT|REMEMBERED)|REMEMBERED|CONNECTIONS|AT_A_TIME|ROWS_AT_A_TIME|PAGE)"
)
"""What a limit is called."""


def value_of(where: str) -> float:
    """Return the value of `FILE::NAME`, or the default of the setting `FILE::CLASS.FIELD`."""
    path, _, name = where.partition("::")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    owner, _, field = name.partition(".")
    found = getattr(module, owner)
    return float(found.model_fields[field].default if field else found)


def limits_of(path: Path) -> set[str]:
    """Return the limits that a module names: numbers under such a name."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        is_number = all(
            isinstance(each, (ast.BinOp, ast.operator, ast.Constant)) for each in ast.walk(node.value)
        ) and not any(
            isinstance(each, ast.Constant) and not isinstance(each.value, (int, float))
            for each in ast.walk(node.value)
        )
        if is_number and LIMIT.fullmatch(name):
            found.add(f"{path.relative_to(ROOT)}::{name}")
    return found


def test_every_line_of_the_tables_is_read() -> None:
    """A row that is written in another way would be held against nothing."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what |")]

    assert len(lines) == len(ROWS)


@pytest.mark.parametrize(
    ("number", "where"), [(row[1], row[3]) for row in ROWS], ids=[row[3] for row in ROWS]
)
def test_number_is_that_of_the_code(number: str, where: str) -> None:
    """Whoever changes one changes the other."""
    assert value_of(where) == float(number)


@pytest.mark.parametrize("test", [row[4] for row in ROWS if row[4]])
def test_named_test_is_there(test: str) -> None:
    """A row that says by which test its limit is reached says the truth."""
    path, _, name = test.partition("::")

    assert re.search(rf"def {re.escape(name)}\(", (ROOT / path).read_text())


def test_every_limit_has_its_row() -> None:
    """One that is added to the code is added to the page."""
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    found = {limit for path in files for limit in limits_of(path)}

    assert found
    assert set() == found - {row[3] for row in ROWS}


def test_each_limit_has_one_row() -> None:
    """Not two that could differ."""
    assert len({row[3] for row in ROWS}) == len(ROWS)
