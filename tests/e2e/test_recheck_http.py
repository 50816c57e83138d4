"""An endpoint of the service's own is asked again whether people are still there."""

import asyncio
from pathlib import Path

import aiohttp

from shared.context import SystemClock
from tests.e2e.conftest import started
from tests.play.database import execute
from tests.play.endpoint import SECRET, Endpoint
from tests.play.operator import PATIENCE
from tests.play.past import stale_token
from tests.play.person import Person
from tests.play.server import User
from tests.play.sonos import Pair, Sonos, pair_of

CONFIG = """
[providers.shop]
type = "http"
url = "{url}"
secret_file = "{secret}"

[recheck.shop]
every = 1
"""


async def test_person_who_left_the_service_has_to_sign_in_again(
    sqlite_url: str, tmp_path: Path, person: Person, http: aiohttp.ClientSession
) -> None:
    """Still there: nothing changes. Gone: the household is told so with the next call, and only then."""
    (tmp_path / "secret").write_text(SECRET)
    async with Endpoint(now=SystemClock().now()).up() as endpoint:
        endpoint.users.append(User(name="ann", password="canary-password-at-the-shop", id="ann-1"))
        (tmp_path / "latchkey.toml").write_text(CONFIG.format(url=endpoint.url, secret=tmp_path / "secret"))
        async with started(tmp_path, sqlite_url, LATCHKEY_CONFIG=str(tmp_path / "latchkey.toml")) as system:
            sonos = Sonos(http, system.endpoint)
            link = await sonos.get_app_link()
            await person.complete(link.reg_url, password="canary-password-at-the-shop")
            pair = pair_of(await sonos.poll(link))
            await execute(system.database_url, "UPDATE account_checks SET next_at = 0")
            endpoint.users.clear()
            stale = Pair(token=await stale_token(system), key=pair.key)
            refreshed = pair_of(await sonos.root(stale))
            async with asyncio.timeout(PATIENCE):
                while (answer := await sonos.root(refreshed)).fault is None:
                    await asyncio.sleep(0.02)

    assert "Client.AuthTokenExpired" == answer.fault
    assert any(b"still there" in asked.body for asked in endpoint.asked)
