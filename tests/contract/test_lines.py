"""Lines put together from pieces and structlog's own: the same to the byte, in each format."""

import asyncio
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.call_log import OK, ONE_BY_ONE, SECONDS, CallLog
from gateway.smapi import faults
from shared import lines, logs

FORMATS = ["json", "console"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@contextmanager
def written(form: str, level: str = "info") -> Iterator[io.StringIO]:
    """Collect what is logged; afterwards nothing is configured."""
    before = sys.stderr
    sys.stderr = collected = io.StringIO()
    try:
        logs.configure(level=level, format=form)  # type: ignore[arg-type]
        yield collected
    finally:
        sys.stderr = before
        structlog.reset_defaults()
        lines.end()


async def _both(
    form: str, values: dict[str, str | int], correlation_id: str, duration_ms: float
) -> list[str]:
    with written(form) as collected:
        lines.info(
            ("some.logger", "it happened", tuple(values.items())),
            correlation_id=correlation_id,
            duration_ms=duration_ms,
        )
        await asyncio.sleep(0)
        structlog.get_logger("some.logger").info(
            "it happened", **values, correlation_id=correlation_id, duration_ms=duration_ms
        )
        return collected.getvalue().splitlines()


@pytest.mark.parametrize("form", FORMATS)
@given(
    values=st.dictionaries(
        st.sampled_from(["method", "outcome", "service", "kind"]),
        st.text("abc %{}\"'\\é\n~", max_size=12) | st.integers(),
    ),
    correlation_id=st.from_regex(r"[a-z2-7]{1,12}", fullmatch=True),
    duration=st.floats(0, 1e5).map(lambda ms: round(ms, 2)),
)
def test_same_line(form, values, correlation_id, duration):
    """But for the time, which has the same form."""
    both = asyncio.run(_both(form, values, correlation_id, duration))
    half = len(both) // 2
    short, plain = both[:half], both[half:]

    assert [TIME.sub("", line) for line in plain] == [TIME.sub("", line) for line in short]
    assert 1 == len(TIME.findall("".join(short)))


async def test_secrets_are_taken_out_of_the_pieces() -> None:
    """The last net is under these lines, too."""
    with written("json") as collected:
        lines.info(("x", "y", (("what", "Bearer abcdefgh12345"),)), correlation_id="a", duration_ms=1.0)
        await asyncio.sleep(0)

    assert "abcdefgh12345" not in collected.getvalue()
    assert "[token]" in collected.getvalue()


def test_memory_of_shapes_is_bounded() -> None:
    """Shapes that never come again push each other out."""
    with written("json"):
        for number in range(lines._MOST_SHAPES + 1):
            lines._template(("some.logger", "it happened", (("number", number),)))
        kept = lines._template.cache_info().currsize

    assert lines._MOST_SHAPES == kept


async def test_level_counts() -> None:
    """A line less severe than the level is not written."""
    with written("json", "warning") as collected:
        lines.info(("x", "y", ()), correlation_id="a", duration_ms=1.0)
        await asyncio.sleep(0)

    assert "" == collected.getvalue()


async def test_forged_codes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of one refusal gives a bounded number of lines and one that says how many there were; what succeeds is told each time."""
    monkeypatch.setattr("gateway.call_log.SECONDS", 0)
    with written("json") as collected:
        log = CallLog()
        for outcome in [faults.NotLinkedFailure.code] * 500 + [OK] * 50:
            log.tell(
                method="getDeviceAuthToken",
                outcome=outcome,
                service="default",
                correlation_id="abc",
                duration_ms=0.1,
            )
        while "calls" not in collected.getvalue():
            await asyncio.sleep(0)
        told = [json.loads(line) for line in collected.getvalue().splitlines()]

    by_outcome = [line["outcome"] for line in told if line["event"] == "smapi call"]
    assert (ONE_BY_ONE, 50) == (by_outcome.count(faults.NotLinkedFailure.code), by_outcome.count(OK))
    assert [500] == [line["calls"] for line in told if line["event"] == "smapi calls refused"]


async def test_refusals_are_told_anew_when_they_were_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once in so many seconds, as long as there are any."""
    due: list[tuple[float, Callable[[], None]]] = []
    with written("json") as collected:
        log = CallLog()
        with monkeypatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "call_later", lambda *timer: due.append(timer))
            for _ in range(2):
                for _ in range(ONE_BY_ONE + 1):
                    log.tell_request(method="GET", route="none", status=404, duration_ms=0.1)
                due[-1][1]()
        told = [json.loads(line)["event"] for line in collected.getvalue().splitlines()]

    assert [SECONDS, SECONDS] == [seconds for seconds, _ in due]
    assert [*["http request"] * ONE_BY_ONE, "http requests refused"] * 2 == told


async def test_requests_are_told_by_their_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page has its line, without what its path holds; a flood of what is not there is counted, and probes are for debugging."""
    monkeypatch.setattr("gateway.call_log.SECONDS", 0)
    with written("json") as collected:
        log = CallLog()
        log.tell_request(method="GET", route="/link/{code}", status=200, duration_ms=1.5)
        log.tell_request(method="GET", route="/readyz", status=200, duration_ms=1.5)
        for _ in range(500):
            log.tell_request(method="GET", route="none", status=404, duration_ms=0.1)
        while "calls" not in collected.getvalue():
            await asyncio.sleep(0)
        told = [json.loads(line) for line in collected.getvalue().splitlines()]

    assert [("GET", "/link/{code}", 200)] == [
        (line["method"], line["route"], line["status"]) for line in told if line.get("status") == 200
    ]
    assert ONE_BY_ONE == len([line for line in told if line.get("status") == 404])
    assert [("404", 500)] == [
        (line["outcome"], line["calls"]) for line in told if line["event"] == "http requests refused"
    ]
