"""What is left of a connection to a broker that was never made."""

import gc

import aio_pika
import pytest

from shared.bus.base import BusUnavailable
from shared.bus.inspection import inspect
from tests.play.operator import free_port


async def test_connection_that_was_never_made_is_closed() -> None:
    """Nothing is left to be done when it is collected, on whichever thread; Python would warn of it there."""
    port = free_port()
    with pytest.raises(BusUnavailable, match="Connect call failed"):
        await inspect(f"amqp://127.0.0.1:{port}/", prefix="latchkey")
    made = [
        each for each in gc.get_objects() if isinstance(each, aio_pika.Connection) and each.url.port == port
    ]

    assert [True] * len(made) == [each.is_closed for each in made]
