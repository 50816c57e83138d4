"""Docs and code agree: settings, commands, operations, decisions."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy import reference
from deploy.check.table import CHECKS, GROUPS
from deploy.cli import main
from deploy.doctor import table as doctor
from gateway.operations import OPERATIONS
from gateway.smapi.faults import FAULTS
from gateway.smapi.methods import METHODS
from shared.domain.stops import STOPS, WORKS
from shared.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", reference.pages())
def test_reference_page_is_up_to_date(name: str) -> None:
    """`make docs` would change nothing."""
    assert reference.pages()[name] == (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize(
    "path", [path[1:] for path, _ in reference._commands(main, ("latchkey",))], ids=" ".join
)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    """`--help` works everywhere, and every command that does something shows an example."""
    result = CliRunner().invoke(main, [*path, "--help"])
    does_something = "Commands:" not in result.output

    assert 0 == result.exit_code
    assert "Example:" in result.output or not does_something


def test_faq_names_checks_and_settings_that_there_are() -> None:
    """Whoever follows it finds what it speaks of."""
    groups = {*doctor.GROUPS, *GROUPS, "tokens"}
    known = {each.check_id for each in doctor.CHECKS} | {each.about.check_id for each in CHECKS}
    known |= {".".join(path) for path, *_ in reference._fields(Settings, ())}
    named = {
        name
        for name in re.findall(r"`([a-z_]+\.[a-z0-9_-]+)`", (ROOT / "docs/faq.md").read_text())
        if name.partition(".")[0] in groups
    }

    assert len(named) > 20
    assert named <= known


def test_faq_has_every_way_in_which_a_link_stops() -> None:
    """The sentence that `links show` ends with leads to its cause."""
    quoted = set(re.findall(r"\*([^*|]+)\*", (ROOT / "docs/faq.md").read_text()))

    assert {stop.title for stop in STOPS if stop.name != WORKS} == quoted


def test_every_operation_is_a_method_of_smapi() -> None:
    """No operation under a name that Sonos never calls."""
    assert set(OPERATIONS) <= set(METHODS)


def test_every_operation_has_its_file() -> None:
    """A method is found by its name."""
    files = {path.stem for path in (ROOT / "gateway" / "operations").glob("*.py")}
    snake = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name) for name in OPERATIONS}

    assert snake <= files


@pytest.mark.parametrize("code", [fault.code for fault in FAULTS])
def test_every_fault_is_reached_end_to_end(code: str) -> None:
    """No fault that nothing sends, and none that no test has seen."""
    flows = "".join(path.read_text() for path in (ROOT / "tests" / "e2e").glob("*.py"))

    assert code in flows


def test_decisions_are_numbered_without_gaps() -> None:
    """The next one gets the next number."""
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md"))

    assert list(range(1, len(numbers) + 1)) == numbers
