"""A line to the broker: one connection, and everything on it, made again whenever any of it is lost.

aio-pika can restore a connection by itself, channel by channel. Here the whole line is thrown away and built anew instead:
one path for the first start and for every loss, and none of the cases in which a restored consumer is gone, or is cancelled
by the broker for using its old tag again (RabbitMQ 4.3), while its connection looks fine.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPChannelError, AMQPConnectionError, ProbableAuthenticationError
from yarl import URL

from shared.bus.base import BusUnavailable
from shared.bus.dialing import Dial

HEARTBEAT_SECONDS = 10
"""RabbitMQ's documentation asks for 5 to 20; a broker that says nothing is given up after three times that."""
_CONNECT_SECONDS = 10
_PREPARE_SECONDS = 60
"""A hundred questions, one after the other. With less, a broker that every process comes back to at once never gets any of them up;
one that says nothing at all is given up by the heartbeat long before."""
_WAITS = (0.2, 0.5, 1, 2, 5)
_CERTIFICATE_ADVICE = (
    "; `cafile` in broker_url names a file with the certificate of the authority that signed the broker's, and the host there is a "
    "name that the broker's certificate has (docs/tls.md)"
)

log = structlog.get_logger(__name__)

Prepare = Callable[["Line"], Awaitable[None]]


@contextmanager
def as_unavailable() -> Iterator[None]:
    """Turn whatever a lost or unwilling broker looks like from here into `BusUnavailable`.

    That is everything: aiormq 7.2 fails what is under way with whatever closed the channel, down to a bare Exception, and with
    a CancelledError when it gives a silent connection up, though nobody cancelled the task that waits.
    """
    try:
        yield
    except BusUnavailable:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BusUnavailable("the connection was given up") from error
    except Exception as error:
        raise BusUnavailable(type(error).__name__ + _words(error)) from error


def _words(error: Exception) -> str:
    """Return what may be repeated of what the driver says: other words could quote the URL, with its password."""
    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return f": {error.__cause__.verify_message}{_CERTIFICATE_ADVICE}"
    if isinstance(error, AMQPConnectionError) and isinstance(error.__cause__, OSError) and error.args:
        # The system's words about an address, such as "Connect call failed".
        return f": {error.args[-1]}"
    # What the broker says about a channel names queues and arguments; about a sign-in, no password.
    return f": {error}" if isinstance(error, AMQPChannelError | ProbableAuthenticationError) else ""


class _Loss:
    """The end of one connection, for the first reason that was given."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._reason = ""

    def because(self, reason: str) -> Callable[..., None]:
        """Return what to call when it comes; the driver gives the error that closed a channel as the second of two arguments."""

        def lose(_sender: object = None, error: object = None) -> None:
            if not self._event.is_set():
                self._reason = reason + (_words(error) if isinstance(error, Exception) else "")
                self._event.set()

        return lose

    def is_yet_to_come(self) -> bool:
        """Tell whether the connection is still there."""
        return not self._event.is_set()

    async def wait(self) -> str:
        """Return the reason."""
        await self._event.wait()
        return self._reason


class Line:
    """One connection that is always being held, or being made again."""

    def __init__(self, url: str, *, name: str, prepare: Prepare) -> None:
        address = URL(url)
        self._url = (
            address if "heartbeat" in address.query else address.update_query(heartbeat=HEARTBEAT_SECONDS)
        )
        self._name = name
        self._prepare = prepare
        self._up = asyncio.Event()
        self._loss = _Loss()
        self._ended = asyncio.Event()
        self._connection: AbstractConnection | None = None

    @property
    def is_up(self) -> bool:
        """Tell whether everything on this line is in place."""
        return self._up.is_set()

    def presence(self) -> Callable[[], bool]:
        """Return what tells whether the connection that is there now still is."""
        return self._loss.is_yet_to_come

    def lose(self) -> None:
        """Give the line up, so that it is made again; what is under way on it fails."""
        self._loss.because("given up")()

    def end(self) -> None:
        """Give the line up for good. Whoever holds it is to be cancelled besides, so as not to wait for a broker.

        A cancellation alone may be lost in the driver, in `asyncio.wait_for` before Python 3.12: one that comes while the line is
        being made, together with an answer of the broker. The line would come up and be held for ever.
        """
        self._ended.set()
        self.lose()

    async def errand(self) -> AbstractChannel:
        """Open a channel for a moment, whose end means nothing.

        Raises:
            BusUnavailable: there is no connection.
        """
        if self._connection is None:
            raise BusUnavailable("not connected to the broker")
        return await self._connection.channel()

    async def channel(self, *, prefetch: int = 0, on_return_raises: bool = False) -> AbstractChannel:
        """Open a channel whose loss is the loss of the line.

        Raises:
            BusUnavailable: there is no connection.
        """
        if self._connection is None:
            raise BusUnavailable("not connected to the broker")
        # Of this connection, and not of the next one when it is called late.
        loss = self._loss
        channel = await self._connection.channel(on_return_raises=on_return_raises)
        if prefetch:
            await channel.set_qos(prefetch_count=prefetch)
        underlay = await channel.get_underlay_channel()
        # The broker cancels a consumer whose queue was deleted, or whose handler took too long (4.3).
        underlay.on_consumer_cancel_callbacks.add(loss.because("consumer cancelled by the broker"))
        channel.close_callbacks.add(loss.because("channel closed"))
        return channel

    async def hold(self) -> None:
        """Make the connection, and make it again, until ended and cancelled."""
        failures = 0
        while not self._ended.is_set():
            try:
                with as_unavailable():
                    reason = await self._hold_once()
                failures = 0
            except BusUnavailable as error:
                failures, reason = failures + 1, str(error)
            if self._ended.is_set():
                return
            wait = _WAITS[min(failures, len(_WAITS) - 1)]
            log.warning("broker away", line=self._name, reason=reason, again_in_s=wait)
            await asyncio.sleep(wait)

    async def _hold_once(self) -> str:
        """Return why the connection ended, once it was whole."""
        self._loss = _Loss()
        dial = Dial(self._url, name=self._name)
        try:
            await dial.open(seconds=_CONNECT_SECONDS)
            self._connection = dial.connection
            self._connection.close_callbacks.add(self._loss.because("connection lost"))
            async with asyncio.timeout(_PREPARE_SECONDS):
                await self._prepare(self)
            self._up.set()
            log.info("broker connected", line=self._name)
            return await self._loss.wait()
        finally:
            self._up.clear()
            self._connection = None
            with suppress(BusUnavailable), as_unavailable():
                await dial.close()
