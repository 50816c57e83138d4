"""Redaction: the second net under everything that is logged."""

import logging
from typing import Literal

import pytest
import structlog

from shared import keys, logs
from shared.context import SystemRandom
from shared.domain import link_code
from shared.logs import redact

CODE, _ = link_code.issue(key=b"k" * 32, service="default", lifetime=600, now=0, random=b"r" * 15)


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        (CODE, f"GET /link/{CODE}?attempt=1"),
        (
            "eyJhbGciOiJFZDI1NTE5In0.eyJpc3MiOiJsaW5rIn0.c2lnbmF0dXJl",
            "token eyJhbGciOiJFZDI1NTE5In0.eyJpc3MiOiJsaW5rIn0.c2lnbmF0dXJl refused",
        ),
        ("hunter2", "amqp://latchkey:hunter2@broker:5672 away"),
        ("abcdef012345", "Authorization: Bearer abcdef012345"),
    ],
)
def test_secret_does_not_reach_the_line(secret: str, line: str) -> None:
    """What looks like a secret is taken out, wherever it stands."""
    assert secret not in redact(line)


def test_ordinary_line_stays_as_it_is() -> None:
    """Ids, hashes and sentences are left alone."""
    line = f"link.changed link_id={'0a' * 16} kid={keys.create(SystemRandom().token_bytes).public.signing[0]['kid']}"

    assert line == redact(line)


def test_lost_connection_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What the broker's library says of a lost connection comes without its forty lines of trace."""
    logs.configure(level="info", format="json")
    error = ConnectionError("gone").with_traceback(None)
    logging.getLogger("aiormq.connection").warning("connection %s lost", "a", exc_info=error)

    (line,) = capsys.readouterr().err.splitlines()

    assert "connection a lost (ConnectionError)" in line
    assert "Traceback" not in line


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("control", ["\n", "\r", "\v", "\x1b", "\x85", "\u2028"])
def test_line_break_stays_within_its_line(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"], control: str
) -> None:
    """Whoever can put words into a line makes no line of their own, be it ours or a library's."""
    forged = f"x{control}2026-01-01T00:00:00Z [info] all is well"
    logs.configure(level="info", format=form)
    structlog.get_logger("ours").info("it happened", what=forged)
    structlog.get_logger("ours").info(forged)
    logging.getLogger("some.library").warning("it said %s", forged)
    written = capsys.readouterr().err

    assert [3, 3] == [written.count("all is well"), len(written.splitlines())]
    assert control == "\n" or control not in written


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("place", ["message", "argument", "value", "traceback", "library"])
def test_secret_is_taken_out_wherever_it_was_put(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"], place: str
) -> None:
    """By us or by a library; the last step before the line is written sees all of it."""
    logs.configure(level="debug", format=form)
    ours, theirs = structlog.get_logger("gateway.endpoint"), logging.getLogger("some.library")
    match place:
        case "message":
            theirs.warning(f"could not open {CODE}")
        case "argument":
            theirs.warning("could not open %s", CODE)
        case "value":
            ours.warning("not opened", what={"code": [CODE]})
        case "traceback":
            try:
                int(f"open {CODE}")
            except ValueError:
                ours.exception("not opened")
        case "library":
            theirs.error("not opened", exc_info=ValueError(CODE))
    written = capsys.readouterr().err

    assert CODE not in written
    assert "[link code]" in written
    assert "open" in written
