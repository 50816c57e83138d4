"""What one tab has seen: scenes made of steps, kept as pieces of a page so that a reader who was away gets what is new.

A piece has an id in the page; sent again under the same id it replaces what was there. Numbers only grow, so "everything
after number N" is all that a reader ever asks for, whether it is new, was asleep, or lost its connection.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from deploy.playground.lanes import LONGEST_TEXT, Lane, Step
from deploy.playground.rendering import render

MOST_SCENES = 40
MOST_STEPS = 40
"""In a scene; what a broken broker is told again and again is not worth more."""
LARGEST_STORY = 512 * 1024
"""Characters of all pieces; older scenes make room, and then the first steps of the last one."""
MOST_READERS = 4
"""Connections that wait for one story."""

STATE = "state"


class TooManyReaders(Exception):
    """More connections than one tab has a use for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of the page, or the state as JSON."""

    number: int
    name: str
    into: str
    """The id of the element that it belongs into; `name` is its own id."""
    scene: int
    text: str


class Scene:
    """What one press of a button, or one act of the person in the other tab, brought about."""

    def __init__(self, story: "Story", number: int, title: str) -> None:
        self.story = story
        self.number = number
        self.title = title
        self.told = ""
        self.outcome = ""
        self.is_bad = False
        self.count = 1
        self._steps = 0

    def add(self, step: Step) -> None:
        """Add a step to the end."""
        if self._steps < MOST_STEPS:
            self._steps += 1
            text = step.text if len(step.text) <= LONGEST_TEXT else f"{step.text[:LONGEST_TEXT]}\n…"
            html = render("step", scene=self, step=step, number=self._steps, text=text, lanes=Lane)
            self.story.put(f"step-{self.number}-{self._steps}", html, into=f"steps-{self.number}", scene=self)

    def tell(self, told: str, *, outcome: str = "", is_bad: bool = False) -> None:
        """Say what happened, in the scene's head."""
        self.told, self.outcome, self.is_bad = told, outcome, is_bad
        self.story.put(f"head-{self.number}", self.head, into=f"scene-{self.number}", scene=self)

    def again(self) -> None:
        """Begin anew: the steps that follow replace those there are, which were alike."""
        self.count += 1
        self._steps = 0

    @property
    def head(self) -> str:
        """Return the head as HTML."""
        return render("head", scene=self)


class Story:
    """The scenes of one tab, newest last, and who waits for news."""

    def __init__(self) -> None:
        self._number = 0
        self._scenes = 0
        self._pieces: OrderedDict[str, Piece] = OrderedDict()
        self._readers: set[asyncio.Event] = set()
        self.is_over = False
        self.latest: Scene | None = None

    @property
    def has_readers(self) -> bool:
        """Tell whether anybody waits for news."""
        return bool(self._readers)

    @property
    def headline(self) -> str:
        """Return what the latest scene came to, in one line."""
        scene = self.latest
        return f"{scene.title}: {scene.outcome or '…'}" if scene else ""

    def begin(self, title: str, told: str = "") -> Scene:
        """Begin a scene."""
        self._scenes += 1
        scene = self.latest = Scene(self, self._scenes, title)
        scene.told = told
        self.put(f"scene-{scene.number}", render("scene", scene=scene), into="scenes", scene=scene)
        return scene

    def put(self, name: str, text: str, *, into: str = "", scene: Scene | None = None) -> None:
        """Put a piece of the page where it belongs, over one of the same name."""
        self._number += 1
        self._pieces.pop(name, None)
        number = scene.number if scene else 0
        if scene and number <= self._scenes - MOST_SCENES:
            return
        self._pieces[name] = Piece(number=self._number, name=name, into=into, scene=number, text=text)
        self._make_room()
        self._wake()

    def state(self, values: Mapping[str, object]) -> None:
        """Say what may be pressed, and how things stand."""
        text = msgspec.json.encode(values).decode()
        if STATE not in self._pieces or self._pieces[STATE].text != text:
            self.put(STATE, text)

    def after(self, number: int) -> list[Piece]:
        """Return what has come, or come again, since that number."""
        return [piece for piece in self._pieces.values() if piece.number > number]

    def end(self) -> None:
        """Send all readers home."""
        self.is_over = True
        self._wake()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set whenever there is something new.

        Raises:
            TooManyReaders: enough are there already.
        """
        if len(self._readers) >= MOST_READERS:
            raise TooManyReaders
        news = asyncio.Event()
        self._readers.add(news)
        try:
            yield news
        finally:
            self._readers.discard(news)

    def _wake(self) -> None:
        for news in self._readers:
            news.set()

    def _make_room(self) -> None:
        oldest = self._scenes - MOST_SCENES
        while True:
            size = sum(len(piece.text) for piece in self._pieces.values())
            too_many = any(0 < piece.scene <= oldest for piece in self._pieces.values())
            if size <= LARGEST_STORY and not too_many:
                return
            drop = min(piece.scene for piece in self._pieces.values() if piece.scene)
            if drop == self._scenes:
                self._shorten(size)
                return
            for name in [name for name, piece in self._pieces.items() if piece.scene == drop]:
                del self._pieces[name]

    def _shorten(self, size: int) -> None:
        """Drop the first steps of the only scene that is left: what a content server answers can be that long."""
        for name in [name for name in self._pieces if name.startswith("step-")]:
            if size > LARGEST_STORY:
                size -= len(self._pieces.pop(name).text)
