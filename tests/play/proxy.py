"""A cable that can be cut: a TCP proxy on loopback which loses answers when told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Cable:
    """Carries bytes both ways; `cut_answers` lets the request through and loses what comes back."""

    def __init__(self, host: str, port: int) -> None:
        self.cut_answers = False
        self.lost = 0
        self._target = (host, port)
        self._carrying: set[asyncio.Task[None]] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        there, back = await asyncio.open_connection(*self._target)
        up = asyncio.create_task(_pump(reader, back))
        try:
            while chunk := await there.read(65536):
                if self.cut_answers:
                    self.lost += 1
                    break
                writer.write(chunk)
                await writer.drain()
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
            for end in (back, writer):
                end.close()
                with contextlib.suppress(ConnectionError):
                    await end.wait_closed()

    async def idle(self) -> None:
        """Wait until every connection has ended."""
        await asyncio.gather(*self._carrying, return_exceptions=True)


@contextlib.asynccontextmanager
async def cable(host: str, port: int) -> AsyncIterator[tuple[Cable, str]]:
    """Lay a cable to a server; gives it and the address of its near end."""
    laid = Cable(host, port)
    server = await asyncio.start_server(laid.carry, "127.0.0.1", 0)
    near = server.sockets[0].getsockname()
    try:
        yield laid, f"http://{near[0]}:{near[1]}"
    finally:
        server.close()
        await laid.idle()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
