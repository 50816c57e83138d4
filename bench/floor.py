"""The floor: a bare aiohttp handler that reads a body and answers a constant.

    python -m bench.floor PORT STATUS BYTES

Nothing that is built on aiohttp can be faster, so that a ratio to it says what is ours, on any machine.
"""

import asyncio
import sys

from aiohttp import web

from bench.load import loop_factory


async def serve(port: int, status: int, length: int) -> None:
    """Serve until the process ends."""
    body = b"x" * length

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=status, body=body, content_type="text/xml")

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def main() -> None:
    """Serve on the port of the first argument."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(*map(int, sys.argv[1:4])))


if __name__ == "__main__":
    main()
