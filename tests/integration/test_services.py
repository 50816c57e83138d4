"""The private servers do what the other tests take for granted."""

from pathlib import Path

import aio_pika
import asyncpg
import pytest

from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer


def _for_asyncpg(sqlalchemy_url: str) -> str:
    return sqlalchemy_url.replace("+asyncpg", "")


async def _ask(sqlalchemy_url: str, query: str) -> object:
    connection = await asyncpg.connect(_for_asyncpg(sqlalchemy_url))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_postgres_answers(empty_postgres_url: str) -> None:
    """A database is there for one test, and it is UTF-8 whatever the machine prefers."""
    answer = await _ask(empty_postgres_url, "SELECT 1")
    encoding = await _ask(empty_postgres_url, "SHOW server_encoding")

    assert (1, "UTF8") == (answer, encoding)


async def test_postgres_databases_are_apart(postgres_server: PostgresServer, empty_postgres_url: str) -> None:
    """What one test writes, another does not see."""
    other = postgres_server.empty_database()
    await _ask(empty_postgres_url, "CREATE TABLE mine ()")

    seen = await _ask(other, "SELECT to_regclass('mine')")
    postgres_server.drop(other)

    assert seen is None


async def test_postgres_commits_survive_a_crash(own_postgres: PostgresServer) -> None:
    """A killed server comes back on the same port with what was committed."""
    url = own_postgres.empty_database()
    await _ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    own_postgres.kill()
    with pytest.raises(ConnectionRefusedError):
        await _ask(url, "SELECT 1")
    own_postgres.start()
    kept = await _ask(url, "SELECT answer FROM kept")

    assert 42 == kept


async def test_rabbit_takes_a_connection(rabbit_url: str) -> None:
    """A virtual host is there for one test, and a quorum queue works in it."""
    async with await aio_pika.connect(rabbit_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("work", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"hello"), routing_key="work")
        message = await queue.get(timeout=10)
        await message.ack()

    assert b"hello" == message.body


async def test_rabbit_virtual_hosts_go_with_their_test(rabbit_server: RabbitServer) -> None:
    """The broker does not fill up over a run."""
    url = rabbit_server.add_vhost()
    await (await aio_pika.connect(url)).close()
    rabbit_server.delete_vhost(url)

    with pytest.raises(aio_pika.exceptions.AMQPError):
        await aio_pika.connect(url)


async def test_rabbit_keeps_durable_messages_over_a_crash(own_rabbit: RabbitServer) -> None:
    """A killed broker comes back on the same port with what it had confirmed.

    The queue is there since before a restart: RabbitMQ 3.10 on one node may forget one that was declared a moment ago.
    """
    assert own_rabbit.data is not None
    async with await aio_pika.connect(own_rabbit.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True)
    own_rabbit.stop()
    own_rabbit.start()
    async with await aio_pika.connect(own_rabbit.url) as connection:
        channel = await connection.channel()
        message = aio_pika.Message(b"still here", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key="kept")
    own_rabbit.kill()
    own_rabbit.start()
    listed = own_rabbit.rabbitmqctl("list_queues", "name", "messages").splitlines()
    async with await aio_pika.connect(own_rabbit.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", passive=True)
        received = await queue.get(timeout=10)
        await received.ack()

    assert "kept\t1" in listed
    assert b"still here" == received.body
    assert any(b"still here" in path.read_bytes() for path in _files(own_rabbit.data))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
