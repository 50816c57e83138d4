"""Logs: structlog over the standard library, one line per event, redacted at the very last step.

The redaction works on the finished line, so that it also sees tracebacks and what libraries log. It is the second net; the
first is that nothing secret is handed to a logger.
"""

import logging
import re
import sys
from typing import Literal

import structlog

from shared import lines

_SECRETS = (
    (re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"), "[token]"),
    (re.compile(r"(?<![a-z0-9])k[a-z0-9]{31}(?![a-z0-9])"), "[link code]"),
    (re.compile(r"(://[^:/@\s]+:)[^@/\s]+@"), r"\1***@"),
    (re.compile(r"(?i)(bearer\s+)[\w.~+/-]{8,}=*"), r"\1[token]"),
)

_CAPPED = {
    # At DEBUG these print message bodies and frames.
    "aio_pika": logging.INFO,
    "aiormq": logging.INFO,
    # At INFO these tell of every statement.
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
    "sqlalchemy": logging.WARNING,
}
"""Logger of a library -> the least severe lines of it that are ever written."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What begins a new line on some terminal, or tells it to do something else."""
_OF_SEVERAL_LINES = {"exception", "stack"}
_WITHOUT_TRACE = {"aio_pika", "aiormq"}
"""Libraries that write forty lines for every connection that is lost; the kind of error is all there is to know."""


def configure(*, level: str, format: Literal["json", "console"]) -> None:  # noqa: A002 - the setting's name
    """Send every log line of this process to standard error in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # Below the level a call does nothing at all; the standard library would drop the line after it was made up.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    # JSON spells controls out by itself.
    before: structlog.typing.Processor = (
        structlog.processors.format_exc_info if format == "json" else _on_one_line
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _RedactingFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, before, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    lines.begin(handler, shared)
    root.setLevel(level.upper())
    for name, least in _CAPPED.items():
        logging.getLogger(name).setLevel(max(root.level, least))
    # aiohttp logs malformed requests with their bytes and a traceback: one line at most, without either.
    logging.getLogger("aiohttp.server").addFilter(_without_request_bytes)


def redact(line: str) -> str:
    """Return *line* with everything that looks like a token, a link code or a URL's password taken out."""
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line


def _on_one_line(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Spell out in every text what could begin a line of its own; a trace comes after the line, and has several."""
    return {
        key: _CONTROLS.sub(_spelt_out, value)
        if isinstance(value, str) and key not in _OF_SEVERAL_LINES
        else value
        for key, value in event.items()
    }


def _spelt_out(control: re.Match[str]) -> str:
    return control.group().encode("unicode_escape").decode()


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and record.name.split(".")[0] in _WITHOUT_TRACE:
            record.msg, record.args = f"{record.getMessage()} ({type(error).__name__})", ()
            record.exc_info = record.exc_text = None
        return redact(super().format(record))


def _without_request_bytes(record: logging.LogRecord) -> bool:
    if (
        record.exc_info
        and record.exc_info[0] is not None
        and record.exc_info[0].__module__.startswith("aiohttp")
    ):
        record.msg, record.args = "malformed HTTP request refused", ()
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
