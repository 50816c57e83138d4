"""TLS to PostgreSQL and to RabbitMQ, with certificates of a private authority: taken where they are right, refused where they are not."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from auth_worker.providers.web import NothingDone, Web
from shared.bus import inspection
from shared.bus.base import BusUnavailable
from shared.storage import migrate
from shared.storage.base import StoreUnavailable
from shared.storage.version import current
from tests.e2e.conftest import start_separately
from tests.play.operator import add_account, deployment
from tests.play.person import Person
from tests.play.ports import free_port
from tests.play.sonos import Sonos, pair_of
from tests.services.authority import HERE, Authority
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer
from tests.services.system import hand_over, service_user

RABBIT = """
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {root}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
"""
WRONG_NAME = "Hostname mismatch"
UNKNOWN = "unable to get local issuer certificate"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority of this test, whose certificate everybody can read."""
    return Authority(tmp_path / "authority")


async def secure_database(server: PostgresServer, authority: Authority) -> str:
    """Have a PostgreSQL speak nothing but TLS from now on, and return the URL of an empty database, without a word of TLS."""
    assert server.data is not None
    folder = server.data / "tls"
    folder.mkdir()
    for file, name in zip(authority.issue(), ("server.pem", "server.key"), strict=True):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(file.read_bytes())
    hand_over(folder, service_user("postgres", ""))
    (server.data / "pg_hba.conf").write_text(f"hostssl all all {HERE}/32 trust\n")
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(f"ALTER SYSTEM SET ssl_cert_file = '{folder}/server.pem'")
        await connection.execute(f"ALTER SYSTEM SET ssl_key_file = '{folder}/server.key'")
        await connection.execute("ALTER SYSTEM SET ssl = on")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()
    return server.empty_database()


def secure_broker(server: RabbitServer, authority: Authority) -> str:
    """Have a RabbitMQ listen for TLS on a port of its own, and return its URL there, without an authority."""
    assert server.data is not None
    folder = server.data.parent
    certificate, key = authority.issue()
    files = {"root.pem": authority.root, "server.pem": certificate, "server.key": key}
    for name, file in files.items():
        (folder / name).write_bytes(file.read_bytes())
    port = free_port()
    with (folder / "rabbitmq.conf").open("a") as configuration:
        configuration.write(
            RABBIT.format(
                port=port,
                root=folder / "root.pem",
                certificate=folder / "server.pem",
                key=folder / "server.key",
            )
        )
    hand_over(folder, service_user("rabbitmq", ""))
    server.stop()
    server.start()
    return f"amqps://guest:guest@{HERE}:{port}/"


async def test_household_links(
    own_postgres: PostgresServer,
    own_rabbit: RabbitServer,
    authority: Authority,
    tmp_path: Path,
    http: aiohttp.ClientSession,
    person: Person,
) -> None:
    """With a database that speaks nothing but TLS, and whose tables come by it too, and a broker at its port for TLS."""
    database_url = (
        f"{await secure_database(own_postgres, authority)}?sslmode=verify-full&sslrootcert={authority.root}"
    )
    broker_url = f"{secure_broker(own_rabbit, authority)}?cafile={authority.root}"
    await asyncio.to_thread(migrate.upgrade, database_url)
    with deployment(tmp_path, database_url=database_url, broker_url=broker_url) as system:
        await add_account(system)
        start_separately(system)
        await system.ready()
        sonos = Sonos(http, system.endpoint)
        link = await sonos.get_app_link()
        done = await person.complete(link.reg_url)
        root = await sonos.root(pair_of(await sonos.poll(link)))

        assert "Your Sonos system is linked" == done.title
        assert root.fault is None


async def test_database_that_is_not_who_it_should_be(
    own_postgres: PostgresServer, authority: Authority, tmp_path: Path
) -> None:
    """It gets no password, and who started us is told what is wrong and what to do."""
    url = await secure_database(own_postgres, authority)
    known, unknown = authority.root, Authority(tmp_path / "other").root
    elsewhere = url.replace(HERE, "localhost")
    addresses = {
        f"{url}?sslmode=verify-full&sslrootcert={known}": "",
        f"{elsewhere}?sslmode=verify-ca&sslrootcert={known}": "",
        f"{elsewhere}?sslmode=verify-full&sslrootcert={known}": WRONG_NAME,
        f"{url}?sslmode=verify-full&sslrootcert={unknown}": UNKNOWN,
        f"{url}?sslmode=verify-ca&sslrootcert={unknown}": UNKNOWN,
    }
    for address, expected in addresses.items():
        told = await what_the_database_says(address)

        assert (expected in told, bool(expected)) == (True, "`sslrootcert` in database_url" in told), told


async def what_the_database_says(url: str) -> str:
    """Return why a database could not be asked; empty if it could."""
    try:
        await asyncio.to_thread(current, url)
    except StoreUnavailable as error:
        return str(error)
    return ""


async def test_broker_that_is_not_who_it_should_be(
    own_rabbit: RabbitServer, authority: Authority, tmp_path: Path
) -> None:
    """Neither an authority of the test's nor those of this machine vouch for it; what to do is told."""
    url = secure_broker(own_rabbit, authority)
    known, unknown = authority.root, Authority(tmp_path / "other").root
    addresses = {
        f"{url}?cafile={known}": "",
        f"{url.replace(HERE, 'localhost')}?cafile={known}": WRONG_NAME,
        f"{url}?cafile={unknown}": "certificate",
        url: "certificate",
    }
    for address, expected in addresses.items():
        told = await what_the_broker_says(address)

        assert (expected in told, bool(expected)) == (True, "`cafile` in broker_url" in told), told


async def what_the_broker_says(url: str) -> str:
    """Return why a broker could not be asked; empty if it could."""
    try:
        await inspection.inspect(url, prefix="latchkey")
    except BusUnavailable as error:
        return str(error)
    return ""


async def test_provider_that_is_not_who_it_should_be(authority: Authority) -> None:
    """It is sent nothing, be it a provider or the receiver of webhooks: both are asked in one way."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/token", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue())
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, HERE, 0, ssl_context=context).start()
        address = f"https://{HERE}:{runner.addresses[0][1]}/token"
        async with Web.open() as way_out:
            with pytest.raises(NothingDone, match="ClientConnectorCertificateError"):
                await way_out.send("POST", address, form={"code": "canary-code"})
    finally:
        await runner.cleanup()

    assert [] == asked
