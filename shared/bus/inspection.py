"""Looks at a broker without changing anything there: whether all that `topology` wants is as it should be, and what waits in it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPChannelError, ChannelNotFoundEntity
from aiormq.exceptions import ChannelAccessRefused
from yarl import URL

from shared.bus.base import RETRY_DELAYS
from shared.bus.dialing import Dial
from shared.bus.line import as_unavailable
from shared.bus.topology import Topology, arguments, exchanges
from shared.messages import WORK

CONNECT_SECONDS = 10.0
TAKE_SECONDS = 3.0
"""How long a broker may think about a message; one with an alarm thinks for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """One queue that should be there."""

    is_there: bool
    messages: int = 0
    consumers: int = 0
    complaint: str | None = ""
    """What the broker says of the arguments it is declared with; empty if they are those that it has, None if we may not declare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """What a broker shows to whoever may use it."""

    product: str
    version: str
    missing_exchanges: tuple[str, ...]
    queues: Mapping[str, QueueFacts]
    """By the broker's names."""
    work: tuple[str, ...]
    """Those that workers read."""
    dead: str
    """The one of dead letters."""
    takes_messages: bool | None
    """Whether it confirmed a message; with an alarm of memory or disk it does not. None if we may not publish."""


async def inspect(url: str, *, prefix: str) -> BrokerFacts:
    """Look at a broker.

    Raises:
        BusUnavailable: it does not answer, or does not let us in.
    """
    names = Topology(prefix=prefix, delays=RETRY_DELAYS)
    with as_unavailable():
        dial = Dial(URL(url), name="latchkey doctor")
        try:
            await dial.open(seconds=CONNECT_SECONDS)
            connection = dial.connection
            properties = _properties(connection)
            return BrokerFacts(
                product=str(properties.get("product", "unknown")),
                version=str(properties.get("version", "unknown")),
                missing_exchanges=tuple(
                    [name for name in exchanges(names) if not await _has_exchange(connection, name)]
                ),
                queues={
                    name: await _queue(connection, name, wanted) for name, wanted in arguments(names).items()
                },
                work=tuple(map(names.queue, WORK)),
                dead=names.dead,
                takes_messages=await _takes_messages(connection, names),
            )
        finally:
            await dial.close()


async def _has_exchange(connection: AbstractConnection, name: str) -> bool:
    try:
        async with _errand(connection) as channel:
            await channel.get_exchange(name, ensure=True)
    except ChannelNotFoundEntity:
        return False
    return True


async def _queue(connection: AbstractConnection, name: str, wanted: Mapping[str, Any]) -> QueueFacts:
    try:
        async with _errand(connection) as channel:
            queue = await channel.declare_queue(name, durable=True, passive=True)
            counted = queue.declaration_result
    except ChannelNotFoundEntity:
        return QueueFacts(is_there=False)
    return QueueFacts(
        is_there=True,
        messages=counted.message_count or 0,
        consumers=counted.consumer_count or 0,
        complaint=await _complaint(connection, name, wanted),
    )


async def _complaint(connection: AbstractConnection, name: str, wanted: Mapping[str, Any]) -> str | None:
    """Return what the broker says when a queue that is there is declared again, as services do that may; None if we may not."""
    try:
        async with _errand(connection) as channel:
            await channel.declare_queue(name, durable=True, arguments=dict(wanted))
    except ChannelAccessRefused:
        return None
    except AMQPChannelError as error:
        return str(error)
    return ""


async def _takes_messages(connection: AbstractConnection, names: Topology) -> bool | None:
    """Tell whether a message is confirmed: a result for a gateway that there is not, which the broker forgets at once."""
    try:
        async with asyncio.timeout(TAKE_SECONDS), _errand(connection) as channel:
            exchange = await channel.get_exchange(names.results, ensure=False)
            await exchange.publish(Message(b""), "doctor", mandatory=False)
    except (ChannelAccessRefused, ChannelNotFoundEntity):
        return None
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def _errand(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    """Give a channel for one question: an answer that is an error closes it."""
    channel = await connection.channel()
    try:
        yield channel
    finally:
        if not channel.is_closed:
            await channel.close()


def _properties(connection: AbstractConnection) -> Mapping[str, Any]:
    return connection.transport.connection.server_properties if connection.transport else {}
