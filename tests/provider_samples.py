"""Opens a provider of each kind in front of a server of that kind, for tests of them all."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from auth_worker.providers import local
from auth_worker.providers.base import Identity, Provider, Surroundings
from auth_worker.providers.opening import OPENERS
from auth_worker.providers.web import Web
from shared.boxes import LoginEvidence
from shared.context import SystemClock
from shared.domain.errors import AccountDisabled, SignInRefused
from shared.settings import PROVIDER_TYPES, load
from tests.play.audiobookshelf import AudiobookshelfServer
from tests.play.endpoint import SECRET, Endpoint
from tests.play.jellyfin import JellyfinServer
from tests.play.server import AccountServer, User
from tests.play.subsonic import SubsonicServer
from tests.play.supysonic import supysonic
from tests.store_samples import open_stores

PASSWORD = "canary päss wörd/?&=#%\"' of ann"
WRONG = "canary-of-a-wrong-password"
PEOPLE = (
    User(name="Ann", password=PASSWORD),
    User(name="dora", password=PASSWORD, disabled=True),
    User(name="nina", password=PASSWORD, allowed=False),
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of server, and how the settings describe it."""

    of_type: str
    start: Callable[[], AccountServer] | None = None
    """None for those that are not played in the test's own loop."""
    settings: dict[str, object] = field(default_factory=dict)
    disabled: type[Exception] = AccountDisabled
    """What becomes of a disabled person with the right password."""


def _endpoint() -> Endpoint:
    return Endpoint(now=SystemClock().now())


KINDS = {
    "subsonic": Kind(of_type="subsonic", start=SubsonicServer, disabled=SignInRefused),
    "subsonic-forms": Kind(
        of_type="subsonic", start=lambda: SubsonicServer(forms=True), disabled=SignInRefused
    ),
    "subsonic-password": Kind(
        of_type="subsonic",
        start=lambda: SubsonicServer(refuses_tokens=41),
        settings={"allow_password": True},
        disabled=SignInRefused,
    ),
    "jellyfin": Kind(of_type="jellyfin", start=JellyfinServer),
    "emby": Kind(of_type="jellyfin", start=lambda: JellyfinServer(emby=True)),
    "audiobookshelf": Kind(of_type="audiobookshelf", start=AudiobookshelfServer, disabled=SignInRefused),
    "http": Kind(of_type="http", start=_endpoint),
    "supysonic": Kind(of_type="subsonic", settings={"allow_password": True}),
    "local": Kind(of_type="local"),
}
PLAYED = [name for name, kind in KINDS.items() if kind.start]
ASKED = [*PLAYED, "supysonic"]
KNOWS_ROLES = [name for name in PLAYED if name != "audiobookshelf"]


@dataclass(kw_only=True)
class Source:
    """A provider, and the server behind it."""

    kind: Kind
    provider: Provider
    server: Any

    async def ask(self, name: str = "Ann", password: str = PASSWORD) -> Identity:
        """Have somebody sign in."""
        return await self.provider.authenticate(
            LoginEvidence(name=name, password=password), service="default"
        )

    async def refusal(self, name: str = "Ann", password: str = PASSWORD) -> Exception:
        """Have somebody sign in, and return why they may not."""
        with pytest.raises(Exception) as error:  # noqa: PT011 - whichever; the test looks at it.
            await self.ask(name, password)
        return error.value


@dataclass(kw_only=True)
class Opening:
    """Opens providers for one test."""

    folder: Path
    database_url: str
    real: str
    """The address of the real Supysonic."""
    stack: AsyncExitStack

    async def open(
        self, name: str, *, answer: float = 30.0, url: str | None = None, **settings: object
    ) -> Source:
        """Start a server of a kind, and open its provider with *answer* seconds of patience."""
        kind = KINDS[name]
        server = await self.stack.enter_async_context(kind.start().up()) if kind.start else None
        if server:
            server.users.extend(PEOPLE)
        address = {} if kind.of_type == "local" else {"url": url or (server.url if server else self.real)}
        section = self._section(kind, {**address, **kind.settings, **settings})
        stores = await self.stack.enter_async_context(open_stores(self.database_url))
        surroundings = Surroundings(
            settings=load(
                database_url=self.database_url,
                broker_url="memory://",
                keys_dir=self.folder,
                public_url="http://127.0.0.1",
                providers={"local" if kind.of_type == "local" else "home": section},
            ),
            name="home",
            store=stores.auth,
            web=await self.stack.enter_async_context(Web.open(connect=answer, answer=answer)),
        )
        provider = await self.stack.enter_async_context(OPENERS[type(section)](section, surroundings))
        if kind.of_type == "local":
            user = await local.new_user(service="default", name="Ann", password=PASSWORD, subject="ann-1")
            async with stores.auth.transaction() as transaction:
                await transaction.insert_local_user(user)
        return Source(kind=kind, provider=provider, server=server)

    def _section(self, kind: Kind, settings: dict[str, object]) -> Any:
        if kind.of_type == "http":
            secret = self.folder / "secret"
            secret.write_text(f"{SECRET}\n")
            settings.setdefault("secret_file", secret)
        return PROVIDER_TYPES[kind.of_type].model_validate({"type": kind.of_type, **settings})


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with supysonic(tmp_path_factory.mktemp("supysonic"), Ann=PASSWORD) as url:
        yield url


@pytest.fixture
async def opening(tmp_path: Path, sqlite_url: str, real: str) -> AsyncIterator[Opening]:
    async with AsyncExitStack() as stack:
        yield Opening(folder=tmp_path, database_url=sqlite_url, real=real, stack=stack)
