"""One tab's play: a household of its own, what it knows, and where what happens to it is shown."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from deploy.playground import masking, rows, words
from deploy.playground.bus import CAUSE
from deploy.playground.lanes import Lane, Step
from deploy.playground.sonos import Exchange, Pair, Sonos
from deploy.playground.story import Scene, Story
from deploy.playground.words import HARMLESS, PERSON, TOUR
from shared.domain.token import TokenClaims
from shared.messages import Event
from shared.storage.base import StoreUnavailable
from shared.storage.household import HouseholdRows, Rows

MOST_IDS = 500
"""Ids by which events are known as this household's; the oldest are forgotten."""
MOST_SECRETS = 100

_NAMES = ("household_id", "link_id", "grant_id", "request_id", "value", "correlation_id")
"""The fields of events that may name something of a household."""
_CODE = re.compile(r"[a-z0-9]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A link that Sonos polls for."""

    code: str
    device_id: str


class Play:
    """What a tab plays with. Everything shown goes through here, and is masked here."""

    def __init__(self, *, play_id: str, browser_id: str, sonos: Sonos, household_rows: HouseholdRows) -> None:
        self.play_id = play_id
        self.browser_id = browser_id
        self.sonos = sonos
        self.story = Story()
        self.lock = asyncio.Lock()
        self.pending: Pending | None = None
        self.pair: Pair | None = None
        self.claims: TokenClaims | None = None
        self.has_ended = False
        """Sonos was told to have the person sign in again."""
        self.is_revoked = False
        """Sonos does not know yet that the link has ended."""
        self.is_stale = False
        """The token is over, and Sonos does not know."""
        self.performed: set[str] = set()
        self._acting: Scene | None = None
        self._household_rows = household_rows
        self._rows: Rows = {}
        self._looking = asyncio.Lock()
        self._ids: OrderedDict[str, Scene | None] = OrderedDict()
        self._secrets: OrderedDict[str, None] = OrderedDict()

    def knows(self, event: Event) -> bool:
        """Tell whether an event is about this household."""
        return any(self.knows_id(name) for name in _names(event))

    def knows_id(self, name: str) -> bool:
        """Tell whether an id is one of this household's."""
        return name in self._ids or name == self.sonos.household

    def learn(self, name: str) -> None:
        """Take an id for one of this household's."""
        self._ids.setdefault(name, None)
        self._ids.move_to_end(name)
        if len(self._ids) > MOST_IDS:
            self._ids.popitem(last=False)

    def act(self, scene: Scene | None) -> None:
        """Show what comes without a cause of its own in this scene, from now on."""
        self._acting = scene

    def hide(self, *secrets: str) -> None:
        """Mask these from now on, wherever they stand."""
        for secret in secrets:
            if len(secret) > masking.SHOWN:
                self._secrets[secret] = None
                self._secrets.move_to_end(secret)
        while len(self._secrets) > MOST_SECRETS:
            self._secrets.popitem(last=False)

    def take(self, pair: Pair, claims: TokenClaims) -> None:
        """Keep a pair in place of the one before."""
        self.hide(pair.token, pair.key)
        self.pair, self.claims = pair, claims
        self.has_ended = self.is_revoked = self.is_stale = False
        self.learn(claims.grant_id)

    def wait_for(self, exchange: Exchange) -> bool:
        """Keep the link that an answer brought; False if it brought none."""
        code, device_id = exchange["linkCode"], exchange["linkDeviceId"]
        if not _CODE.fullmatch(code):
            return False
        self.hide(code, device_id)
        self.pending = Pending(code=code, device_id=device_id)
        return True

    def show_call(self, scene: Scene, exchange: Exchange) -> None:
        """Show what an exchange answered; its request was shown before it was sent."""
        answer = masking.soap(exchange.answer, self._secrets)
        label = exchange.fault or _summary(exchange)
        text = f"HTTP {exchange.status}\n\n{answer}"
        scene.add(
            Step(
                source=Lane.GATEWAY,
                target=Lane.SONOS,
                kind="soap",
                label=label,
                text=text,
                failed=exchange.fault not in HARMLESS,
                is_answer=True,
            )
        )

    def show_request(self, scene: Scene, method: str, envelope: str) -> None:
        """Show a request that is about to be sent."""
        head = f"POST {self.sonos.path}\nSOAPAction: …#{method}\nContent-Type: text/xml; charset=utf-8\n\n"
        scene.add(
            Step(
                source=Lane.SONOS,
                target=Lane.GATEWAY,
                kind="soap",
                label=method,
                text=head + masking.soap(envelope, self._secrets),
            )
        )

    def show_event(self, source: Lane, target: Lane, event: Event, *, note: str, failed: bool) -> None:
        """Show an event on its way."""
        for name in _names(event):
            self.learn(name)
        label = f"{event.kind}, {note}" if note else event.kind
        text = masking.without(masking.event(event), self._secrets)
        self._scene_of(event).add(
            Step(source=source, target=target, kind="event", label=label, text=text, failed=failed)
        )

    def show_read(self, tables: str) -> None:
        """Show that the gateway read something for a call that is under way."""
        if self._acting:
            step = Step(source=Lane.GATEWAY, target=Lane.DATABASE, kind="read", label=f"reads {tables}")
            self._acting.add(step)

    async def show_rows(self, writer: Lane, event: Event | None = None) -> None:
        """Show which rows have changed since the last look."""
        async with self._looking:
            try:
                after = await self._household_rows.read(self.sonos.household)
            except StoreUnavailable:
                return
            before, self._rows = self._rows, after
        scene = self._scene_of(event) if event else self._acting
        for change in rows.changes(before, after):
            if scene:
                text = masking.without(change.text, self._secrets)
                step = Step(source=writer, target=Lane.DATABASE, kind="rows", label=change.label, text=text)
                scene.add(step)

    def tell_state(self, *, broken: bool) -> None:
        """Tell the tab what may be pressed, and what this Sonos holds."""
        self.story.state(
            {
                "can": self.possible(broken=broken),
                "next": self._next(broken=broken),
                "pending": self.pending is not None,
                "broken": broken,
                "latest": self.story.headline,
                "status": self._status(broken=broken),
                "holds": [list(each) for each in self._holds()],
            }
        )

    def possible(self, *, broken: bool) -> dict[str, bool]:
        """Return act -> whether it makes sense now."""
        linked = self.pair is not None
        return {
            "add": not linked and self.pending is None,
            "sign-in": self.pending is not None,
            "poll": self.pending is not None,
            "browse": linked,
            "expire": linked and not self.has_ended and not self.is_revoked,
            "refresh": linked,
            "revoke": linked and not self.has_ended and not self.is_revoked,
            "reauthorize": linked and self.pending is None,
            "break": not broken,
            "mend": broken,
        }

    def _next(self, *, broken: bool) -> str:
        """Return what is best pressed next, so that whoever follows has seen everything once."""
        if broken:
            return "mend" if self.pair is None or "refresh" in self.performed else "refresh"
        if self.pending:
            return "sign-in"
        if self.pair is None:
            return "add"
        if self.has_ended:
            return "reauthorize"
        if self.is_stale or self.is_revoked:
            return "browse"
        return next((act for act in TOUR if act not in self.performed), "")

    def _status(self, *, broken: bool) -> str:
        trouble = "The broker is broken. " if broken else ""
        return trouble + words.STATUS[self._standing()]

    def _standing(self) -> words.Standing:
        if self.pending:
            return "pending"
        if self.pair is None:
            return "nothing"
        if self.has_ended:
            return "ended"
        if self.is_revoked:
            return "revoked"
        return "stale" if self.is_stale else "linked"

    def _holds(self) -> Iterator[tuple[str, str]]:
        yield "household", f"{self.sonos.household[:14]}…"
        if self.pending:
            yield "linkCode", masking.masked(self.pending.code)
            yield "linkDeviceId", masking.masked(self.pending.device_id)
        if self.pair and self.claims:
            yield "authToken", masking.masked(self.pair.token)
            yield "", f"family {self.claims.family}, generation {self.claims.generation}"
            yield "", f"until {datetime.fromtimestamp(self.claims.expires_at, UTC):%H:%M:%S} UTC"
            yield "privateKey", masking.masked(self.pair.key)

    def _scene_of(self, event: Event) -> Scene:
        """Return the scene of the request that an event follows from; what a person does begins a new one."""
        cause = event.correlation_id or CAUSE.get()
        scene = self._ids.get(cause)
        if scene is None:
            said = PERSON.get(event.kind)
            scene = self.story.begin(*said) if said else self._acting or self.story.latest
            scene = scene or self.story.begin("Meanwhile")
            if cause:
                self.learn(cause)
                self._ids[cause] = scene
        return scene


def _names(event: Event) -> Sequence[str]:
    values = msgspec.structs.asdict(event)
    return [value for name in _NAMES if isinstance(value := values.get(name), str) and value]


def _summary(exchange: Exchange) -> str:
    for name, said in (
        ("linkCode", "regUrl, linkCode"),
        ("authToken", "authToken, privateKey"),
        ("title", f"“{exchange['title']}”"),
    ):
        if exchange[name]:
            return said
    return "OK"
