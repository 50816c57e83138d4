"""A gateway in this process that stands alone: what it sends is kept and nobody answers, and its clock goes when a test says so."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.__main__ import open_context
from gateway.app import create_app
from gateway.context import GatewayContext
from gateway.pages.browser import Browser
from shared import keys
from shared.bus.base import BusUnavailable
from shared.bus.memory import MemoryBus
from shared.context import SystemRandom
from shared.messages import Event, LinkObserved
from shared.sealing import unseal
from shared.settings import Settings, load

BROWSER = Browser(secret="canary-browser-of-32-characters-", is_new=False)
"""Who comes with `COOKIE`."""
COOKIE = {"latchkey": BROWSER.secret}


class StillClock:
    """A clock that goes when a test says so; it begins now unless told otherwise, since the database has a clock of its own."""

    def __init__(self, began: int | None = None) -> None:
        self._began = int(time.time()) if began is None else began
        self.passed = 0.0

    def now(self) -> int:
        return int(self._began + self.passed)

    def monotonic(self) -> float:
        return 1000.0 + self.passed


class KeepingBus(MemoryBus):
    """A bus that keeps what was sent, and can be away; what gateways count by the way is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Event] = []
        self.is_away = False
        self.told: Callable[[Event], None] = lambda _: None
        """Is told of what was sent, where a test wants it answered."""

    async def publish(self, events: Sequence[Event]) -> None:
        if self.is_away:
            raise BusUnavailable("away")
        for event in events:
            if not isinstance(event, LinkObserved):
                self.sent.append(event)
                self.told(event)


@dataclass(frozen=True, kw_only=True)
class Alone:
    """The gateway, and what is around it."""

    context: GatewayContext
    clock: StillClock
    bus: KeepingBus
    http: TestClient[web.Request, web.Application]
    """Asks it, as `BROWSER`."""
    keys: keys.KeySet

    def form_token(self, purpose: str) -> str:
        """Return what a form of `BROWSER` carries."""
        return BROWSER.form_token(self.context.cookie_keys[0], purpose)

    def unsealed(self, box: bytes, bound_to: str) -> bytes:
        """Return what auth_worker finds in a box."""
        return unseal(box, private_keys=[key.secret for key in self.keys.auth_worker.box], bound_to=bound_to)


def settle(folder: Path, database_url: str, **values: object) -> tuple[Settings, keys.KeySet]:
    """Make what a gateway needs, and return its settings and all keys there are; *values* are settings."""
    made = keys.create(SystemRandom().token_bytes)
    keys.write(made, folder / "keys")
    settings = load(
        database_url=database_url,
        broker_url="memory://",
        keys_dir=folder / "keys",
        public_url="http://127.0.0.1",
        **values,
    )
    return settings, made


@asynccontextmanager
async def standing_alone(folder: Path, database_url: str, **values: object) -> AsyncIterator[Alone]:
    """Open one; *values* are settings."""
    settings, made = settle(folder, database_url, **values)
    clock = StillClock()
    async with KeepingBus() as bus, open_context(settings, bus) as opened:
        context = replace(opened, clock=clock)
        async with TestClient(TestServer(create_app(context)), cookies=COOKIE) as http:
            yield Alone(context=context, clock=clock, bus=bus, http=http, keys=made)
