"""The configurations of docs/forward-auth.md, as they stand there, in a real nginx and a real Caddy."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.e2e.test_link import link_household
from tests.play.operator import System
from tests.play.person import Person
from tests.play.ports import free_port
from tests.play.sonos import HOUSEHOLD, Pair, Sonos
from tests.services.proxy import CADDY_OPTIONS, NGINX_FRAME, running_caddy, running_nginx

DOCS = Path(__file__).parents[2] / "docs/forward-auth.md"


async def content(request: web.Request) -> web.Response:
    """Say which of the headers in question arrived."""
    names = [name for name in request.headers if name.startswith("Latchkey") or name == "Authorization"]
    return web.json_response({name: request.headers[name] for name in names})


@pytest.fixture
async def content_server() -> AsyncIterator[str]:
    """A content server, `HOST:PORT`."""
    app = web.Application()
    app.router.add_route("*", "/media/{path:.*}", content)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"127.0.0.1:{port}"
    await runner.cleanup()


@pytest.fixture(params=["nginx", "caddyfile"])
async def proxy(
    request: pytest.FixtureRequest, nginx: Path, embedded: System, content_server: str, tmp_path: Path
) -> AsyncIterator[str]:
    """A proxy with the documented configuration, `http://HOST:PORT`."""
    (documented,) = re.findall(rf"```{request.param}\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    documented = documented.replace("latchkey.internal:8080", embedded.gateways[0].removeprefix("http://"))
    documented = documented.replace("content.internal:8000", content_server)
    port = free_port()
    if request.param == "nginx":
        config = NGINX_FRAME.format(folder=tmp_path, port=port, locations=documented)
        running = running_nginx(nginx, port, tmp_path, config)
    else:
        config = f"{CADDY_OPTIONS}}}\nhttp://127.0.0.1:{port} {{\n{documented}}}\n"
        running = running_caddy(port, tmp_path, config)
    async with running:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def pair(embedded: System, sonos: Sonos, person: Person) -> Pair:
    """What Sonos got for a household."""
    return await link_household(sonos, person)


async def test_player_gets_its_stream(proxy: str, pair: Pair, http: aiohttp.ClientSession) -> None:
    """Identity from Latchkey arrives, what the player claims itself does not, nor does its token; with a body, too."""
    headers = {
        "Authorization": f"Bearer {pair.token}",
        "Latchkey-Account": "somebody-else",
        "Latchkey-Tier": "paidPremium",
    }
    seen = []
    for method, body in (("GET", None), ("POST", b"x" * 1000)):
        async with http.request(method, f"{proxy}/media/1", headers=headers, data=body) as response:
            assert response.status == 200
            seen.append(await response.json())

    assert seen[0] == seen[1]
    assert {"Latchkey-Account", "Latchkey-Household", "Latchkey-Nickname"} == set(seen[0])
    assert ("ann", HOUSEHOLD) == (seen[0]["Latchkey-Nickname"], seen[0]["Latchkey-Household"])
    assert "somebody-else" != seen[0]["Latchkey-Account"]


async def test_everybody_else_gets_401(
    embedded: System, proxy: str, pair: Pair, http: aiohttp.ClientSession
) -> None:
    """Without a token, with a forged one, and with one that was revoked; and nobody reaches the check itself."""
    statuses = []
    for authorization in ({}, {"Authorization": f"Bearer {pair.token[:-4]}AAAA"}):
        async with http.get(f"{proxy}/media/1", headers=authorization) as response:
            statuses.append((response.status, response.headers["WWW-Authenticate"]))
    await embedded.run("grants", "revoke", "--all", "--yes")
    async with http.get(f"{proxy}/media/1", headers={"Authorization": f"Bearer {pair.token}"}) as response:
        statuses.append((response.status, response.headers["WWW-Authenticate"]))

    assert [(401, "Bearer")] * 3 == statuses


async def test_check_itself_is_not_outside(proxy: str, pair: Pair, http: aiohttp.ClientSession) -> None:
    """Nobody is told by the proxy whose a token is."""
    for path in ("/_latchkey", "/verify", "/verify/default"):
        async with http.get(f"{proxy}{path}", headers={"Authorization": f"Bearer {pair.token}"}) as response:
            assert not [name for name in response.headers if name.startswith("Latchkey")]
