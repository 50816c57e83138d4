"""The floor: bare aiohttp handlers that read a body and answer a constant.

    python -m bench.floor PORT METHOD:STATUS:BYTES...

The first of the list is at /0, the next at /1. Nothing that is built on aiohttp with its own routes and responses does less, so that a
ratio to it says what is ours, on any machine. It runs on the same event loop as Latchkey: uvloop, where it is installed.
"""

import asyncio
import sys
from collections.abc import Sequence

from aiohttp import web

from bench.load import loop_factory


async def serve(port: int, constants: Sequence[str]) -> None:
    """Serve until the process ends."""
    app = web.Application()
    for number, constant in enumerate(constants):
        method, status, length = constant.split(":")
        app.router.add_route(method, f"/{number}", _constant(int(status), b"x" * int(length)))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def _constant(status: int, body: bytes):
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=status, body=body, content_type="text/xml")

    return answer


def main() -> None:
    """Serve on the port of the first argument."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(int(sys.argv[1]), sys.argv[2:]))


if __name__ == "__main__":
    main()
