"""deploy/rabbitmq/definitions.json in a real broker: the product runs on it, and no service may do what is another's."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import aiohttp
import pytest
from aio_pika.exceptions import AMQPConnectionError
from aiormq.exceptions import ChannelAccessRefused

from deploy.definitions import USERS, definitions
from deploy.doctor.look_management import look_at_management
from deploy.doctor.seen import ManagementFacts
from shared.bus.base import RETRY_DELAYS
from shared.bus.inspection import inspect
from shared.bus.topology import Topology, declare
from tests.documents import ROOT
from tests.e2e.test_link import link_household
from tests.play.operator import COMMAND, System, add_account, deployment
from tests.play.past import stale_token
from tests.play.person import NAME, Person
from tests.play.sonos import Pair, Sonos, pair_of
from tests.services.rabbit import RabbitServer

FILE = ROOT / "deploy/rabbitmq/definitions.json"
PASSWORDS = {name: f"only-for-tests-{name}" for name in USERS}


@pytest.fixture
def broker(own_rabbit: RabbitServer, tmp_path: Path) -> RabbitServer:
    """A broker that was given what `latchkey definitions` writes, and nothing else."""
    (tmp_path / "passwords").write_text("".join(f"{name}={word}\n" for name, word in PASSWORDS.items()))
    written = subprocess.run(
        [sys.executable, "-c", COMMAND, "definitions", "--passwords", str(tmp_path / "passwords")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert not [word for word in PASSWORDS.values() if word in written.stdout]
    own_rabbit.import_definitions(written.stdout)
    return own_rabbit


def url_of(broker: RabbitServer, user: str) -> str:
    parts = urlsplit(broker.url)
    address = f"latchkey_{user}:{PASSWORDS[user]}@{parts.hostname}:{parts.port}"
    return parts._replace(netloc=address).geturl()


def start(system: System, broker: RabbitServer) -> None:
    """Start one of each, as its own user."""
    system.environment["LATCHKEY_BROKER_URL"] = url_of(broker, "gateway")
    system.start_gateway("gateway")
    for name, module in (("auth-worker", "auth_worker"), ("token-worker", "token_worker")):
        system.start(name, ("-m", module), LATCHKEY_BROKER_URL=url_of(broker, module))


def test_file_is_what_the_command_writes() -> None:
    """`make docs` would change nothing."""
    assert definitions() == json.loads(FILE.read_text())


async def test_services_do_their_work_and_no_more(
    broker: RabbitServer,
    postgres_url: str,
    tmp_path: Path,
    http: aiohttp.ClientSession,
    person: Person,
) -> None:
    """A household links, refreshes and is revoked; whatever one service could do to another is refused."""
    extra = {"LATCHKEY_BROKER_DECLARE": "false"}
    with deployment(tmp_path, database_url=postgres_url, broker_url="amqp://later", extra=extra) as system:
        await add_account(system)
        start(system, broker)
        await system.ready()
        sonos = Sonos(http, system.endpoint)
        pair = await link_household(sonos, person)
        refreshed = await sonos.root(Pair(token=await stale_token(system), key=pair.key))
        works = await sonos.root(pair_of(refreshed))
        system.environment["LATCHKEY_BROKER_URL"] = url_of(broker, "command")
        await system.run("grants", "revoke", "--all", "--yes")
        await system.until_all_grants_ended()
        letters = await system.run("dead", "list")
        erased = await system.run("accounts", "erase", NAME, "--yes")
        seen = {user: await inspect(url_of(broker, user), prefix="latchkey") for user in USERS}
        shown = await look_at_management(broker.management, url_of(broker, "monitor"))

    assert ("Client.TokenRefreshRequired", None) == (refreshed.fault, works.fault)
    assert "ACCESS_REFUSED" not in system.logs()
    assert "there are no dead letters" in letters
    assert "erased the account" in erased
    assert all(
        queue.is_there and queue.complaint is None for each in seen.values() for queue in each.queues.values()
    )
    assert {"auth_worker", "token_worker"} == {user for user, each in seen.items() if each.takes_messages}
    assert isinstance(shown, ManagementFacts)
    assert (["latchkey.full"], ()) == ([policy.name for policy in shown.policies], shown.alarms)
    assert [] == [each for each in TRESPASSES if not await is_refused(broker, *each)]
    await declared(broker)
    broker.import_definitions(FILE.read_text())
    with pytest.raises(AMQPConnectionError):
        # Without a password, nobody signs in.
        await aio_pika.connect(url_of(broker, "gateway"))


TRESPASSES = [
    ("gateway", "publish", "latchkey", "grant.requested"),
    ("gateway", "publish", "latchkey", "account.erase_approved"),
    ("gateway", "publish", "latchkey.results", "anybody"),
    ("gateway", "publish", "latchkey.retry.1000ms", "token.mint"),
    ("gateway", "publish", "", "token.mint"),
    ("gateway", "consume", "auth.login", ""),
    ("gateway", "consume", "latchkey.dead", ""),
    ("gateway", "declare", "auth.other", ""),
    ("auth_worker", "publish", "latchkey", "token.refresh_requested"),
    ("auth_worker", "publish", "", "token.mint"),
    ("auth_worker", "consume", "token.mint", ""),
    ("auth_worker", "declare", "anything", ""),
    ("token_worker", "publish", "latchkey", "link.login_submitted"),
    ("token_worker", "consume", "auth.login", ""),
    ("command", "consume", "auth.login", ""),
    ("command", "publish", "latchkey", "link.approved"),
    ("monitor", "publish", "latchkey", "token.seen"),
    ("monitor", "consume", "latchkey.dead", ""),
]
"""Who, does what, to what, with which routing key."""


async def is_refused(broker: RabbitServer, user: str, act: str, name: str, key: str) -> bool:
    connection = await aio_pika.connect(url_of(broker, user))
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        try:
            if act == "publish":
                exchange = (
                    await channel.get_exchange(name, ensure=False) if name else channel.default_exchange
                )
                await exchange.publish(aio_pika.Message(b""), key, mandatory=False)
            elif act == "consume":
                queue = await channel.get_queue(name, ensure=False)
                await queue.get(fail=False)
            else:
                await channel.declare_queue(name, durable=True)
        except ChannelAccessRefused:
            return True
    return False


async def declared(broker: RabbitServer) -> None:
    """Declare everything as a service does that may; where an argument differs, the broker closes the channel."""
    async with await aio_pika.connect(broker.url) as connection:
        await declare(await connection.channel(), Topology(prefix="latchkey", delays=RETRY_DELAYS))
