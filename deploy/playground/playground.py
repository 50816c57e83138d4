"""The playground itself: who plays, what they are shown of the bus, and the routes."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace

import aiohttp
import structlog
from aiohttp import web

from deploy.playground.acts import Broker, Stage
from deploy.playground.bus import WatchedBus
from deploy.playground.lanes import Lane
from deploy.playground.pages import Pages
from deploy.playground.play import Play
from deploy.playground.reads import watched
from deploy.playground.sonos import Sonos, endpoint_of
from gateway.context import GatewayContext
from shared import bootstrap, keys
from shared.bus.base import Bus
from shared.context import SystemRandom, random_id
from shared.messages import Event, LinkObserved
from shared.settings import Settings
from shared.storage.base import TokenStore
from shared.storage.household import HouseholdRows
from token_worker.minting import Mint

MOST_PLAYS = 24
"""Tabs that play at a time; one that nobody looks at makes room."""

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Playground:
    """All plays of this process."""

    settings: Settings
    store: TokenStore
    household_rows: HouseholdRows
    mint: Mint
    http: aiohttp.ClientSession
    broker: Broker = field(default_factory=Broker)
    _plays: OrderedDict[str, Play] = field(default_factory=OrderedDict)

    @property
    def service(self) -> str:
        """Return the service that is played with: the first whose households link."""
        services = self.settings.services
        return next((name for name, each in services.items() if each.auth == "link"), next(iter(services)))

    def watched(self, bus: Bus, name: str) -> Bus:
        """Return one service's view of the bus, looked at."""
        return WatchedBus(bus, Lane[name.upper()], self)

    def look_in(self, context: GatewayContext) -> GatewayContext:
        """Return the gateway's context with a window in its store."""
        return replace(context, store=watched(context.store, self.read))

    def add_to(self, app: web.Application, context: GatewayContext) -> None:
        """Add the page."""
        stage = Stage(
            context=context, store=self.store, mint=self.mint, service=self.service, broker=self.broker
        )
        Pages(self, stage).add_to(app)

    def begin(self, browser_id: str) -> Play | None:
        """Begin a play for a browser; None when all places are taken by tabs that are looked at."""
        while len(self._plays) >= MOST_PLAYS:
            idle = next((each for each in self._plays.values() if not each.story.has_readers), None)
            if idle is None:
                return None
            self._plays.pop(idle.play_id).story.end()
        random = SystemRandom()
        household = f"Sonos_play{random_id(random)}{random_id(random)[:10]}_{random.token_bytes(4).hex()}"
        play = Play(
            play_id=random_id(random),
            browser_id=browser_id,
            sonos=Sonos(self.http, endpoint_of(self.settings.listen, self.service), household),
            household_rows=self.household_rows,
        )
        self._plays[play.play_id] = play
        play.tell_state(broken=self.is_broken)
        return play

    def play(self, play_id: str) -> Play | None:
        """Return a play, as the one used last."""
        play = self._plays.get(play_id)
        if play:
            self._plays.move_to_end(play_id)
        return play

    def tell_all(self) -> None:
        """Tell every tab how things stand: the broker is everybody's."""
        for play in self._plays.values():
            play.tell_state(broken=self.is_broken)

    def end(self) -> None:
        """Send all tabs home."""
        for play in self._plays.values():
            play.story.end()

    @property
    def is_broken(self) -> bool:
        """Tell whether the broker is broken."""
        return self.broker.is_broken

    def passed(
        self, source: Lane, target: Lane, events: Sequence[Event], *, note: str = "", failed: bool = False
    ) -> None:
        """Show events to those whom they are about."""
        for event in events:
            for play in self._concerned(event):
                # Whoever looks on must never disturb.
                with _undisturbed():
                    play.show_event(source, target, event, note=note, failed=failed)

    async def worked(self, worker: Lane, events: Sequence[Event]) -> None:
        """Show rows that a worker wrote to those whom they are about."""
        if worker is Lane.GATEWAY:
            return
        for event in events:
            for play in self._concerned(event):
                with _undisturbed():
                    await play.show_rows(worker, event)

    def read(self, name: str, tables: str) -> None:
        """Show a read to the one whom it is about."""
        for play in self._plays.values():
            if play.knows_id(name):
                play.show_read(tables)

    def _concerned(self, event: Event) -> list[Play]:
        if isinstance(event, LinkObserved):
            # Told in the background, of what was shown when it happened.
            return []
        return [play for play in self._plays.values() if play.knows(event)]


@asynccontextmanager
async def open_playground(settings: Settings) -> AsyncIterator[Playground]:
    """Open what the playground needs: rows to look at, a grant to move back in time, and the key that makes its token again."""
    async with (
        bootstrap.open_token_store(settings) as store,
        bootstrap.open_rows(settings) as household_rows,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        yield Playground(
            settings=settings,
            store=store,
            household_rows=household_rows,
            mint=Mint.of(keys.read(settings.keys_dir, keys.TokenWorkerKeys), settings),
            http=http,
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let what goes wrong in showing be logged, and nothing else."""
    try:
        yield
    except Exception:
        log.exception("playground could not show something")
