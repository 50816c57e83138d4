"""The nginx configuration of docs/forward-auth.md, as it stands there, in a real nginx."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.e2e.test_link import link_household
from tests.play.operator import PATIENCE, System, free_port
from tests.play.person import Person
from tests.play.sonos import HOUSEHOLD, Pair, Sonos

DOCS = Path(__file__).parents[2] / "docs/forward-auth.md"
FRAME = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; {locations} }}
}}
"""


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


@pytest.fixture
async def proxy(nginx: Path, embedded: System, content_server: str, tmp_path: Path) -> AsyncIterator[str]:
    """An nginx with the documented configuration, `http://HOST:PORT`."""
    (locations,) = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    locations = locations.replace("latchkey.internal:8080", embedded.gateways[0].removeprefix("http://"))
    locations = locations.replace("content.internal:8000", content_server)
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(FRAME.format(folder=tmp_path, port=port, locations=locations))
    process = await asyncio.create_subprocess_exec(
        *(str(nginx), "-c", str(config), "-e", str(tmp_path / "error.log"))
    )
    try:
        await listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


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
    async with http.get(f"{proxy}/_latchkey") as response:
        inside = response.status

    assert [(401, "Bearer")] * 3 == statuses
    assert 404 == inside
