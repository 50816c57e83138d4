"""The proxies of deploy/examples, as printed but for names and ports: a household links through each, and every player's TLS is there."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.play.operator import EMBEDDED, PATIENCE, System, add_account, deployment
from tests.play.person import NAME, PASSWORD
from tests.play.ports import free_port
from tests.services.proxy import CADDY_OPTIONS, NGINX_FRAME, running_caddy, running_nginx
from tests.unit.check.test_tls import certificate

EXAMPLES = Path(__file__).parents[2] / "deploy/examples"
PEM = serialization.Encoding.PEM


def example(name: str, changes: Mapping[str, str]) -> str:
    """Return an example with other names and ports; what is to be changed has to be in it."""
    text = (EXAMPLES / name).read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def caddy(port: int, latchkey: str, folder: Path) -> AsyncIterator[Path]:
    """Run Caddy, and say where its root certificate is."""
    config = example("Caddyfile", {"{\n\t#": f"{CADDY_OPTIONS}\t#"})
    root = folder / "caddy/pki/authorities/local/root.crt"
    environment = {"LATCHKEY_HOST": f"localhost:{port}", "LATCHKEY_ADDRESS": latchkey}
    async with running_caddy(port, folder, config, **environment):
        async with asyncio.timeout(PATIENCE):
            while not root.exists():
                await asyncio.sleep(0.02)
        yield root


@asynccontextmanager
async def nginx_in_front(port: int, latchkey: str, folder: Path, nginx: Path) -> AsyncIterator[Path]:
    """Run nginx, and say where the certificate of its authority is."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "root.pem").write_bytes(
        certificate(key, key, name="authority", days=900, authority=True).public_bytes(PEM)
    )
    (folder / "leaf.pem").write_bytes(certificate(key, key, name="127.0.0.1", days=90).public_bytes(PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    changes = {
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/letsencrypt/live/link.example.com/fullchain.pem": str(folder / "leaf.pem"),
        "/etc/letsencrypt/live/link.example.com/privkey.pem": str(folder / "key.pem"),
        "127.0.0.1:8080": latchkey,
    }
    frame, _, end = NGINX_FRAME.partition("server {{")
    assert "locations" in end
    config = frame.format(folder=folder) + example("nginx.conf", changes) + "}"
    async with running_nginx(nginx, port, folder, config.replace("access_log off;", "", 1)):
        yield folder / "root.pem"


@asynccontextmanager
async def behind(port: int, host: str, folder: Path, database_url: str) -> AsyncIterator[System]:
    """Run everything in one process, as a proxy's neighbour."""
    settings = {"LATCHKEY_PUBLIC_URL": f"https://{host}:{port}", "LATCHKEY_TRUSTED_PROXIES": "1"}
    with deployment(folder, database_url=database_url, broker_url="memory://", extra=settings) as system:
        await add_account(system)
        address = f"127.0.0.1:{free_port()}"
        system.gateways.append(f"http://{address}")
        system.start("embedded", ("-c", EMBEDDED), LATCHKEY_LISTEN=address)
        await system.ready()
        yield system


async def check(system: System, root: Path, *skipped: str) -> str:
    """Be Sonos: the way there, and a link from its beginning to its end."""
    system.environment["LATCHKEY_CHECK_PASSWORD"] = PASSWORD
    skips = [word for name in skipped for word in ("--skip", name)]
    endpoint = f"{system.environment['LATCHKEY_PUBLIC_URL']}/smapi"
    return await system.run(
        *(
            "check",
            endpoint,
            "--only",
            "tls",
            "--only",
            "link",
            "--user",
            NAME,
            "--ca-file",
            str(root),
            *skips,
        )
    )


async def test_caddy(sqlite_url: str, tmp_path: Path) -> None:
    """Certificates that it gives itself live for hours; those of the internet do not."""
    port = free_port()
    async with behind(port, "localhost", tmp_path, sqlite_url) as system:
        address = system.gateways[0].removeprefix("http://")
        async with caddy(port, address, tmp_path) as root:
            report = await check(system, root, "tls.days")

    assert "nothing found" in report, report


@pytest.mark.services
async def test_nginx(sqlite_url: str, tmp_path: Path, nginx: Path) -> None:
    """Nothing is found."""
    port = free_port()
    async with behind(port, "127.0.0.1", tmp_path, sqlite_url) as system:
        address = system.gateways[0].removeprefix("http://")
        async with nginx_in_front(port, address, tmp_path, nginx) as root:
            report = await check(system, root)

    assert "nothing found" in report, report
