"""What the driver of the broker raises, told apart."""

import asyncio

import aio_pika
import pytest
from aio_pika.exceptions import (
    AMQPConnectionError,
    ChannelPreconditionFailed,
    ProbableAuthenticationError,
)

from shared.bus.base import BusUnavailable
from shared.bus.line import HEARTBEAT_SECONDS, Line, as_unavailable
from tests.play.ports import free_port


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (RuntimeError("closed"), "RuntimeError"),
        (OSError("amqp://user:password@host"), "OSError"),
        (TimeoutError(), "TimeoutError"),
        (Exception(), "Exception"),
        (StopAsyncIteration(), "StopAsyncIteration"),
        (ChannelPreconditionFailed("inequivalent arg"), "ChannelPreconditionFailed: inequivalent arg"),
        (ProbableAuthenticationError("ACCESS_REFUSED"), "ProbableAuthenticationError: ACCESS_REFUSED"),
        (AMQPConnectionError("amqp://user:password@host"), "AMQPConnectionError"),
        (BusUnavailable("as it is"), "as it is"),
    ],
)
def test_whatever_the_driver_raises_means_unavailable(raised: Exception, words: str) -> None:
    """By its type alone, as its words could quote the URL; the broker's own words about a channel are kept."""
    with pytest.raises(BusUnavailable) as caught, as_unavailable():
        raise raised

    assert words == str(caught.value)


async def test_nobody_there_is_told_from_others() -> None:
    """The system's own words say what is wrong, and where; the password stays out."""
    port = free_port()
    with pytest.raises(BusUnavailable) as caught, as_unavailable():
        await aio_pika.connect(f"amqp://ann:password@127.0.0.1:{port}/")

    assert f"AMQPConnectionError: Connect call failed ('127.0.0.1', {port})" == str(caught.value)


async def test_cancellation_that_nobody_asked_for_means_unavailable() -> None:
    """The driver fails what is under way on a silent connection as if it had been cancelled."""
    confirmation = asyncio.get_running_loop().create_future()
    confirmation.set_exception(asyncio.CancelledError())
    with pytest.raises(BusUnavailable), as_unavailable():
        await confirmation


async def test_cancellation_stays_one() -> None:
    """Whoever cancels a publisher is obeyed."""

    async def publish() -> None:
        with as_unavailable():
            await asyncio.Event().wait()

    publisher = asyncio.create_task(publish())
    await asyncio.sleep(0)
    publisher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publisher


@pytest.mark.parametrize(
    ("url", "seconds"), [("amqp://host", HEARTBEAT_SECONDS), ("amqp://host?heartbeat=1", 1)]
)
def test_heartbeat_is_ours_unless_the_url_has_one(url: str, seconds: int) -> None:
    """Without one, a broker that says nothing would be waited for."""

    async def prepare(_: Line) -> None:
        raise AssertionError

    assert str(seconds) == Line(url, name="test", prepare=prepare)._url.query["heartbeat"]
