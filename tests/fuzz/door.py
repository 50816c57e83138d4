"""The gateway's own door, opened in this process, and what has to be true of everything that comes out of it."""

import asyncio
import contextlib
import io
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

import auth_worker.__main__ as auth_worker
import token_worker.__main__ as token_worker
from deploy import embedded
from gateway.__main__ import open_context
from gateway.context import GatewayContext
from gateway.endpoint import Asked, answer
from gateway.operations import linking
from gateway.smapi.faults import FAULTS
from shared import bootstrap, keys, logs
from shared.admin import Admin
from shared.domain.token import TokenClaims
from shared.settings import load
from shared.tokens import sign
from tests.fuzz.requests import MARK, Shot

CODES = {fault.code for fault in FAULTS}
OURS = {"Server.ServiceUnknownError"}
"""Faults that say that something of ours is broken: nothing from outside may cause them."""
PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


@dataclass
class Score:
    """What came out."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_ms: float = 0.0
    slow: int = 0
    """Answers that took more than 50 ms of wall-clock time."""

    @property
    def total(self) -> int:
        """Return how many answers were judged."""
        return self.outcomes.total()


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[GatewayContext]:
    """Open a whole deployment in this process, on SQLite and the bus in memory."""
    values = embedded.settings_for(folder, listen="127.0.0.1:0", public_url="http://127.0.0.1")
    settings = load(**values)
    await asyncio.to_thread(embedded.prepare, settings)
    stop = asyncio.Event()
    async with bootstrap.open_bus(settings) as bus, asyncio.TaskGroup() as workers:
        workers.create_task(auth_worker.work(settings, bus, Admin(), stop))
        workers.create_task(token_worker.work(settings, bus, Admin(), stop))
        try:
            async with open_context(settings, bus) as context:
                yield context
        finally:
            stop.set()


@contextlib.contextmanager
def overheard() -> Iterator[io.StringIO]:
    """Collect everything that is logged, down to DEBUG, as a process of ours writes it."""
    heard = io.StringIO()
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    with contextlib.redirect_stderr(heard):
        logs.configure(level="debug", format="json")
    try:
        yield heard
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


async def genuine(context: GatewayContext) -> tuple[str, ...]:
    """Return codes and tokens that this gateway takes for its own."""
    codes = [linking.new_code("default", context) for _ in range(4)]
    now = context.clock.now()
    tokens = [
        sign(
            TokenClaims(
                issuer=context.settings.issuer,
                service="default",
                account_id=context.new_id(),
                grant_id=context.new_id(),
                family=1,
                generation=1,
                issued_at=now - 7200,
                expires_at=expires_at,
            ),
            keys.read(context.settings.keys_dir, keys.TokenWorkerKeys).signing[0],
        )
        for expires_at in (now - 3600, now + 3600)
    ]
    halves = [half for new in codes for half in (new.code, new.verified.link_device_id)]
    return (*halves, *tokens)


async def put_in(shot: Shot, number: int, context: GatewayContext, score: Score) -> None:
    """Send one request through the door, and judge what comes out."""
    asked = Asked(
        service="default",
        body=shot.body,
        soap_action=shot.soap_action,
        authorization=shot.authorization,
        accept_language=None,
    )
    started = time.perf_counter()
    try:
        answered = await answer(asked, context)
    except Exception as error:  # noqa: BLE001 - the door may let nothing through but answers
        score.wrong.append(f"request {number}: {error!r}")
        score.outcomes["exception"] += 1
        return
    took_ms = (time.perf_counter() - started) * 1000
    score.slowest_ms = max(score.slowest_ms, took_ms)
    score.slow += took_ms > 50
    outcome, problem = _judged(answered.status, answered.body)
    score.outcomes[outcome] += 1
    if problem:
        score.wrong.append(f"request {number}: {problem}")


def overheard_canaries(text: str) -> int:
    """Count in how much of what was logged stands a word of a request."""
    return sum(MARK in line for line in text.splitlines())


def _judged(status: int, body: bytes) -> tuple[str, str | None]:
    try:
        root = etree.fromstring(body, PARSER)
    except etree.XMLSyntaxError as error:
        return "no XML", f"answered with no XML: {error}"
    code = root.findtext(".//faultcode")
    if (status, code is None) not in {(200, True), (500, False)}:
        return "status", f"HTTP {status} with fault {code}"
    if code is not None and (code not in CODES or code in OURS):
        return code, f"fault {code}"
    return code or "ok", None
