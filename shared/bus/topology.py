"""Names and arguments of everything Latchkey has at the broker, and the one function that declares it.

Declared are names, durability and type, and what keeps a message from being dropped, since that must hold at a broker that
was given no policy. Everything else belongs into policies, which an operator can change without deleting a queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity

from shared.bus.base import BusUnavailable
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
    declares: bool = True
    """Whether it is for us to declare, or somebody else has done it."""

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


def arguments(names: Topology) -> dict[str, dict[str, Any]]:
    """Return the queues that last, by the broker's names, each with the arguments it is declared with."""
    return (
        {names.queue(queue): WORK_QUEUE for queue in WORK}
        | {names.dead: DEAD_LETTERS}
        | {names.retry(delay): _retry_queue(delay) for delay in names.delays}
    )


def exchanges(names: Topology) -> dict[str, ExchangeType]:
    """Return the exchanges, by the broker's names."""
    return (
        {names.work: ExchangeType.TOPIC, names.results: ExchangeType.TOPIC}
        | {names.dead: ExchangeType.FANOUT}
        | {names.retry(delay): ExchangeType.FANOUT for delay in names.delays}
    )


async def prepare(channel: AbstractChannel, names: Topology) -> None:
    """Make sure that all of it is at the broker.

    Raises:
        BusUnavailable: something is missing that is not for us to declare.
    """
    await (declare if names.declares else expect)(channel, names)


async def declare(channel: AbstractChannel, names: Topology) -> None:
    """Declare all of it; what is there already stays as it is."""
    made = {
        name: await channel.declare_exchange(name, kind, durable=True)
        for name, kind in exchanges(names).items()
    }
    queues = {
        name: await channel.declare_queue(name, durable=True, arguments=each)
        for name, each in arguments(names).items()
    }
    for queue, kinds in WORK.items():
        for kind in kinds:
            await queues[names.queue(queue)].bind(made[names.work], kind.kind)
    for name in (names.dead, *map(names.retry, names.delays)):
        await queues[name].bind(made[name])


async def expect(channel: AbstractChannel, names: Topology) -> None:
    """Look that all of it is there, for which no right is needed.

    Raises:
        BusUnavailable: something is missing.
    """
    try:
        for name in exchanges(names):
            await channel.declare_exchange(name, passive=True)
        for name in arguments(names):
            await channel.declare_queue(name, passive=True)
    except ChannelNotFoundEntity as error:
        raise BusUnavailable(
            f"{error}: import what `latchkey definitions` writes, or set LATCHKEY_BROKER_DECLARE=true"
        ) from error


def _retry_queue(delay: float) -> dict[str, Any]:
    """Return the arguments of a queue that gives its messages back when they have waited.

    It dead-letters to the default exchange and keeps the routing key, which is the name of the work queue: so one
    retry queue serves them all.
    """
    return QUORUM | {
        "x-message-ttl": round(delay * 1000),
        "x-dead-letter-exchange": "",
        # Otherwise messages whose time comes while the broker starts are dropped, since their work queue is not there
        # yet: 20 of 20 on RabbitMQ 3.10.8 (docs/decisions/0008-one-line-to-the-broker.md).
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
