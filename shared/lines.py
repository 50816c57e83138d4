"""Log lines that are the same each time but for the time and a few values, at a tenth of the price.

Structlog makes up such a line once, with marks in place of what differs; after that it is put together from the pieces. What is
written is the same to the byte, in each format (tests/contract/test_lines.py). Lines that are written in one turn of the event loop
go out together, before anything else happens. Without `shared.logs.configure`, everything goes the plain way.
"""

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import structlog

_MOST_SHAPES = 512

# Marks that no format spells differently, and no redaction takes for a secret.
_MARK = "~mark~"
_NUMBER = 918273645.125
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_MARKS = re.compile(rf"({_TIMESTAMP.pattern})|({_MARK})|({re.escape(str(_NUMBER))})")
_PLAIN = re.compile(r"[A-Za-z0-9]+")

Shape = tuple[str, str, tuple[tuple[str, str | int], ...]]
"""The logger's name, the event, and the values that are the same each time."""


class _Writer:
    """Collects lines until the present turn of the event loop is over."""

    def __init__(self, handler: logging.StreamHandler[Any]) -> None:
        self._handler = handler
        self._lines: list[str] = []

    def write(self, line: str) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        self._handler.acquire()
        try:
            self._handler.stream.write("".join(lines))
            self._handler.flush()
        except OSError:
            # As logging itself: what cannot be logged stops nobody's work.
            return
        finally:
            self._handler.release()


class _State:
    writer: _Writer | None = None
    handler: logging.StreamHandler[Any]
    chain: Sequence[structlog.typing.Processor] = ()
    second = 0
    prefix = ""


def begin(handler: logging.StreamHandler[Any], chain: Sequence[structlog.typing.Processor]) -> None:
    """Write through *handler* from now on, whose lines come through the processors of *chain*."""
    _State.handler, _State.chain = handler, chain
    _State.writer = _Writer(handler)
    _template.cache_clear()


def end() -> None:
    """Let everything go the plain way again."""
    _State.writer = None


def info(shape: Shape, *, correlation_id: str, duration_ms: float) -> None:
    """Write a line of level info, from inside an event loop.

    Args:
        shape: what stays the same; a caller has few of them.
        correlation_id: letters and digits.
        duration_ms: milliseconds, rounded.
    """
    writer = _State.writer
    if writer is None or not _PLAIN.fullmatch(correlation_id):
        name, event, values = shape
        structlog.get_logger(name).info(
            event, **dict(values), correlation_id=correlation_id, duration_ms=duration_ms
        )
    elif logging.getLogger().level <= logging.INFO:
        writer.write(
            _template(shape) % {"when": _timestamp(), "id": correlation_id, "duration": str(duration_ms)}
        )


_PLACES = ("%(when)s", "%(id)s", "%(duration)s")


@lru_cache(maxsize=_MOST_SHAPES)
def _template(shape: Shape) -> str:
    """Return a line of this shape, with places for what differs each time."""
    pieces: list[str] = []
    at, line = 0, _line(shape)
    for match in _MARKS.finditer(line):
        pieces += (_escaped(line[at : match.start()]), _PLACES[(match.lastindex or 1) - 1])
        at = match.end()
    return "".join((*pieces, _escaped(line[at:]), "\n"))


def _escaped(piece: str) -> str:
    return piece.replace("%", "%%")


def _line(shape: Shape) -> str:
    """Have structlog make up a line, as it does for a logger of the standard library."""
    name, event, values = shape
    logger = logging.getLogger(name)
    content: Any = {**dict(values), "correlation_id": _MARK, "duration_ms": _NUMBER, "event": event}
    for process in _State.chain:
        content = process(logger, "info", content)
    record = logger.makeRecord(name, logging.INFO, "", 0, content, (), None)
    # What wrap_for_formatter leaves for the formatter.
    vars(record).update(_logger=logger, _name="info")
    return _State.handler.format(record)


def _timestamp() -> str:
    now = time.time_ns() // 1000
    second, micros = divmod(now, 1_000_000)
    if second != _State.second:
        _State.second = second
        _State.prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
    return f"{_State.prefix}.{micros:06}Z"
