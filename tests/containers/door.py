"""The way in: Caddy in a container, which is its own authority for the name `localhost`."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.containers.compose import Containers
from tests.play.operator import PATIENCE
from tests.play.person import Person
from tests.play.sonos import Sonos, pair_of

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


async def life(trust: ssl.SSLContext, revoke: Callable[[str], None]) -> list[str | None]:
    """Link a household, let it refresh, and have it revoked.

    Args:
        trust: what trusts the proxy.
        revoke: is told the household.

    Returns:
        The faults with which its calls were answered: with the first pair, with the second, and once it was revoked.
    """
    async with visitors(trust) as (sonos, person):
        begun = await sonos.get_app_link()
        assert begun.reg_url.startswith(f"https://{HOST}/")
        await person.complete(begun.reg_url)
        async with asyncio.timeout(PATIENCE):
            while (answer := await sonos.poll(begun)).fault is not None:
                await asyncio.sleep(0.2)
        pair = pair_of(answer)
        first = await sonos.root(pair)
        newer = pair_of(await sonos.call("refreshAuthToken", pair=pair))
        second = await sonos.root(newer)
        revoke(sonos.household)
        async with asyncio.timeout(PATIENCE):
            while (last := await sonos.root(newer)).fault is None:
                await asyncio.sleep(0.2)
    return [first.fault, second.fault, last.fault]
