"""`latchkey check` on the command line: what it refuses, lists and returns."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.check import render
from deploy.check.report import EVERY, About, Mode, Outcome, Report, Severity, State
from deploy.check.sources import APP_LINK
from deploy.check.table import CHECKS, GROUPS
from deploy.cli import main
from tests.play.ports import free_port


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "which service?"),
        (("ftp://example.com/smapi",), "which service?"),
        (("http://127.0.0.1/", "--only", "nonsense"), "no check and no group 'nonsense'"),
        (("http://127.0.0.1/", "--form", "name"), "--form is FIELD=VALUE, not 'name'"),
        (("http://127.0.0.1/", "--subject", "ann"), "--subject needs --approve-with"),
        (("http://127.0.0.1/", "--load", "501"), "is not in the range"),
    ],
)
def test_what_could_not_run(arguments: tuple[str, ...], complaint: str) -> None:
    """Exit status 2, and why."""
    result = check(*arguments)

    assert 2 == result.exit_code
    assert complaint in result.output


def test_nobody_is_there() -> None:
    """A service that does not answer is no finding: nothing could be checked."""
    result = check(f"http://127.0.0.1:{free_port()}/smapi")

    assert 2 == result.exit_code
    assert "nothing answers at" in result.output


def test_all_checks_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --list nothing is asked of anybody, and every check has its line."""
    monkeypatch.setenv("COLUMNS", "250")
    everything, few = check("--list"), check("--list", "--only", "poll", "--skip", "poll.limit")

    assert all(each.about.check_id in everything.output for each in CHECKS)
    assert "poll.forged" in few.output
    assert not {"poll.limit", "link.answer"} & set(few.output.split())


def test_table_is_in_order() -> None:
    """No two checks share an id, all belong to a group, and each says what should be so, what happens, and what to do."""
    ids = [each.about.check_id for each in CHECKS]
    said = [
        (each.about.title, each.about.sonos, each.about.way_out, each.about.source.url) for each in CHECKS
    ]

    assert len(set(ids)) == len(ids)
    assert {each.about.group for each in CHECKS} == set(GROUPS)
    assert all(all(texts) and texts[3].startswith("https://") for texts in said)
    assert [] == [texts for texts in said if not (texts[1].endswith(".") and texts[2].endswith("."))]


def report() -> Report:
    about = About(
        check_id="link.answer",
        title="It is <so> & good",
        severity=Severity.WARNING,
        sonos="It says nothing.",
        way_out="Do it.",
        source=APP_LINK,
        modes=EVERY,
    )
    outcomes = (
        Outcome(about=about, state=State.FOUND, said='a "strange" \x00 [bold] <thing>'),
        Outcome(about=about, state=State.SKIPPED, said="no reason"),
        Outcome(about=about, state=State.CLEAN),
    )
    return Report(
        endpoint="https://example.com/smapi", mode=Mode.APP_LINK, outcomes=outcomes, figures={"x": 1.25}
    )


def test_json_has_everything() -> None:
    """What was seen, what Sonos does, the way out, and where it is written."""
    document = json.loads(render.as_json(report()))
    first = document["checks"][0]

    assert ("latchkey-check/1", False, "app-link") == (
        document["format"],
        document["clean"],
        document["mode"],
    )
    assert ["found", "skipped", "clean"] == [each["state"] for each in document["checks"]]
    assert ("It says nothing.", "Do it.") == (first["sonos"], first["way_out"])
    assert {"title": APP_LINK.title, "url": APP_LINK.url} == first["source"]


def test_junit_is_well_formed() -> None:
    """Whatever a server says, the file can be read; what was found is a failure."""
    from lxml import etree

    suite = etree.fromstring(render.as_junit(report()).encode())
    failure = suite.find("testcase/failure")

    assert ("3", "1", "1") == (suite.get("tests"), suite.get("failures"), suite.get("skipped"))
    assert 'a "strange" \N{REPLACEMENT CHARACTER} [bold] <thing>' == failure.get("message")
    assert "Way out: Do it." in failure.text


def test_table_shows_what_was_seen(tmp_path: Path) -> None:
    """Nothing that a server says is taken for markup."""
    from rich.console import Console

    console = Console(record=True, width=160, file=(tmp_path / "out").open("w"))
    render.show(report(), console, verbose=True)
    text = console.export_text()
    console.file.close()

    assert "[bold] <thing>" in text
    assert "3 checks: 0 wrong, 1 warnings, 1 ok, 1 skipped (x 1.2 ms)" in text
