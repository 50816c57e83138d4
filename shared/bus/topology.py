"""Names and arguments of everything Latchkey has at the broker, and the one function that declares it.

Declared are names, durability and type, and what keeps a message from being dropped, since that must hold at a broker that
was given no policy. Everything else belongs into policies, which an operator can change without deleting a queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel

from shared.messages import WORK

QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
WORK_QUEUE = QUORUM | {"x-delivery-limit": 1_000}
"""RabbitMQ 4 drops what came back twenty times, unless told otherwise. A worker buries, with a reason, long before this."""
DEAD_LETTERS = QUORUM | {"x-delivery-limit": 1_000_000}
"""A dead letter is there to be looked at, and every look counts as a delivery. A limit also keeps them in order: without one,
what comes back goes to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What the exchanges and queues of one installation are called."""

    prefix: str
    delays: Sequence[float]
    """Seconds; one retry queue each."""

    @property
    def work(self) -> str:
        """Return the topic exchange of work; the routing key is the event's kind."""
        return self.prefix

    @property
    def results(self) -> str:
        """Return the topic exchange of results; the routing key is the gateway."""
        return f"{self.prefix}.results"

    @property
    def dead(self) -> str:
        """Return the exchange, and the queue, of dead letters."""
        return f"{self.prefix}.dead"

    def retry(self, delay: float) -> str:
        """Return the exchange, and the queue, where messages wait for *delay* seconds."""
        return f"{self.prefix}.retry.{round(delay * 1000)}ms"

    def queue(self, queue: str) -> str:
        """Return the broker's name of a work queue."""
        return queue if self.prefix == "latchkey" else f"{self.prefix}.{queue}"

    def results_queue(self, gateway: str, connection: str) -> str:
        """Return the queue of one gateway's results on one connection."""
        return f"{self.prefix}.results.{gateway}.{connection}"


async def declare(channel: AbstractChannel, names: Topology) -> None:
    """Declare all of it; what is there already stays as it is."""
    work = await channel.declare_exchange(names.work, ExchangeType.TOPIC, durable=True)
    await channel.declare_exchange(names.results, ExchangeType.TOPIC, durable=True)
    for name, kinds in WORK.items():
        queue = await channel.declare_queue(names.queue(name), durable=True, arguments=WORK_QUEUE)
        for kind in kinds:
            await queue.bind(work, kind.kind)
    dead = await channel.declare_exchange(names.dead, ExchangeType.FANOUT, durable=True)
    buried = await channel.declare_queue(names.dead, durable=True, arguments=DEAD_LETTERS)
    await buried.bind(dead)
    for delay in names.delays:
        await _declare_retry(channel, names.retry(delay), delay)


async def _declare_retry(channel: AbstractChannel, name: str, delay: float) -> None:
    """Declare a queue that gives its messages back when they have waited.

    It dead-letters to the default exchange and keeps the routing key, which is the name of the work queue: so one
    retry queue serves them all.
    """
    exchange = await channel.declare_exchange(name, ExchangeType.FANOUT, durable=True)
    arguments = QUORUM | {
        "x-message-ttl": round(delay * 1000),
        "x-dead-letter-exchange": "",
        # Otherwise messages whose time comes while the broker starts are dropped, since their work queue is not there
        # yet: 20 of 20 on RabbitMQ 3.10.8 (docs/decisions/0008-one-line-to-the-broker.md).
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    queue = await channel.declare_queue(name, durable=True, arguments=arguments)
    await queue.bind(exchange)
