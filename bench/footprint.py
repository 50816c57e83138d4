"""What Latchkey takes when it does nothing: memory, and the time until it is there."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from bench import processes, stock
from bench.bed import Bed
from bench.figures import Figure, figure
from bench.load import Job
from bench.rows import CONNECTIONS, Say, measured
from tests.play.operator import COMMAND
from tests.play.ports import free_port
from tests.services.keeper import PROJECT


async def pending_links(bed: Bed, port: int, say: Say, *, count: int) -> Figure:
    """Return the memory of a gateway when *count* households are waiting, each of which has asked."""
    say(f"memory with {count:,} pending links")
    links = await bed.stock.pending(count)
    job = Job(
        ports=[port], connections=CONNECTIONS, seconds=300, once=True, expect="HTTP/1.1 500", holds="RETRY"
    )
    await measured(bed, job, [stock.poll(link) for link in links])
    return figure(
        "memory_pending",
        f"memory of a gateway with {count:,} pending links",
        "MB",
        [processes.memory_mb(bed.pids["gateway"][0])],
        at_least=120,
        aim=70,
    )


async def embedded(say: Say, *, starts: int, idle: float) -> list[Figure]:
    """Start everything in one process on an empty folder, and again on the same; then leave it alone."""
    seconds, memory = [], 0.0
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        for number in range(starts + 1):
            say(f"start of `latchkey up`, {number + 1} of {starts + 1}")
            port, begun = free_port(), time.perf_counter()
            with _up(Path(folder), port) as process:
                await _ready(port, process)
                seconds.append(time.perf_counter() - begun)
                if number == starts:
                    await asyncio.sleep(idle)
                    memory = processes.memory_mb(process.pid)
    return [
        figure("memory_embedded", "memory of `latchkey up`, idle", "MB", [memory], at_least=120, aim=80),
        figure(
            "start",
            "start of `latchkey up` until it is ready",
            "s",
            seconds[1:],
            at_least=2,
            aim=1,
            first_with_keys_and_schema_s=seconds[0],
        ),
    ]


@contextmanager
def _up(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    arguments = ["up", "--data", str(folder / "data"), "--listen", f"127.0.0.1:{port}"]
    with (folder / "up.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


async def _ready(port: int, process: subprocess.Popen[bytes]) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(60):
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"`latchkey up` ended with {process.returncode}")
            try:
                async with http.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.01)
