"""Whoever steals the database, the broker's disk and all logs can sign in at nobody's server."""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urljoin

from shared.context import SystemClock
from tests.canaries import Canaries, files, places
from tests.e2e.conftest import start_separately
from tests.play.audiobookshelf import AudiobookshelfServer
from tests.play.endpoint import SECRET, Endpoint
from tests.play.jellyfin import JellyfinServer
from tests.play.operator import deployment
from tests.play.person import Person
from tests.play.server import AccountServer, User
from tests.play.sonos import Sonos
from tests.play.subsonic import SubsonicServer
from tests.services.postgres import PostgresServer, aside
from tests.services.rabbit import RabbitServer

WRONG = "canary-of-a-wrong-password"


async def test_stolen_disks_open_no_other_server(
    own_postgres: PostgresServer, own_rabbit: RabbitServer, tmp_path: Path, person: Person
) -> None:
    """After a wrong and a right password at a server of each kind: no password, token or secret in any byte anywhere."""
    from shared.storage.migrate import upgrade

    database_url = own_postgres.migrated_database(upgrade)
    servers: dict[str, AccountServer] = {
        "subsonic": SubsonicServer(refuses_tokens=41),
        "jellyfin": JellyfinServer(),
        "audiobookshelf": AudiobookshelfServer(),
        "http": Endpoint(now=SystemClock().now()),
    }
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    more: Mapping[str, dict[str, object]] = {
        "subsonic": {"allow_password": True},
        "http": {"secret_file": str(secret)},
    }
    providers = {
        name: {"type": name, "url": server.url, **more.get(name, {})} for name, server in servers.items()
    }
    extra = {"LATCHKEY_PROVIDERS": json.dumps(providers)}
    secrets = {"wrong password": WRONG.encode(), "secret of the endpoint": SECRET.encode()}
    async with AsyncExitStack() as stack:
        for name, server in servers.items():
            await stack.enter_async_context(server.up())
            server.users.append(User(name="mia", password=f"canary-password-at-{name}"))
            secrets[f"password at {name}"] = f"canary-password-at-{name}".encode()
        with deployment(
            tmp_path, database_url=database_url, broker_url=own_rabbit.url, extra=extra
        ) as system:
            start_separately(system)
            await system.ready()
            sonos = Sonos(person.http, system.endpoint)
            titles = [await linked(sonos, person, name) for name in servers]
            aside(own_postgres.stop)
            own_rabbit.stop()
            search = Canaries(secrets)
            search.in_files(places(own_postgres, own_rabbit, tmp_path))

            # The search itself works: what is no secret is there.
            assert ["Your Sonos system is linked"] * 4 == titles
            assert any(b"audiobookshelf" in place.read_bytes() for place in files(own_postgres.data))
            assert {} == search.found
            for process in system.processes:
                process.kill()
            system.processes.clear()


async def linked(sonos: Sonos, person: Person, provider: str) -> str:
    """Link with an account at one of the servers, after a wrong password; return the last page's heading."""
    link = await sonos.get_app_link()
    form = await person.open(urljoin(link.reg_url, f"?with={provider}"))
    form = await person.press(form, "Sign in", name="mia", password=WRONG)
    confirm = await person.press(form, "Sign in", name="mia", password=f"canary-password-at-{provider}")
    return (await person.press(confirm, "Allow")).title
