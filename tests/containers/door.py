"""The way in: Caddy in a container, which is its own authority for the name `localhost`."""

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.containers.compose import Containers
from tests.play.operator import PATIENCE
from tests.play.person import Person
from tests.play.sonos import Sonos

HOST = "localhost"


def authority(containers: Containers, folder: Path) -> ssl.SSLContext:
    """Return what trusts the proxy, once it has made its certificate."""
    root = folder / "root.crt"
    deadline = time.monotonic() + PATIENCE
    while not root.exists() and time.monotonic() < deadline:
        made = "latchkey_proxy_1:/data/caddy/pki/authorities/local/root.crt"
        containers.podman("cp", made, str(root), may_fail=True)
        time.sleep(0.2)
    return ssl.create_default_context(cafile=root)


@asynccontextmanager
async def visitors(trust: ssl.SSLContext) -> AsyncIterator[tuple[Sonos, Person]]:
    """Sonos and a person, who come through the proxy."""
    sonos = Sonos(aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)), f"https://{HOST}/smapi")
    person = Person()
    await person.http.close()
    person.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust))
    async with sonos.http, person.http:
        yield sonos, person
