"""A herd: a hundred thousand households come back after an outage, all of them with a token that is stale by now.

Compressed in time: the ten minutes of the outage are not waited for, what they leave behind is made. Each household asks once for its content,
is told to wait where the installation is full (`ServiceUnavailable`), and asks again after the pause that Sonos makes, as often as it
takes. Nobody may be told to sign in again.
"""

import asyncio
import random
import time

import aiohttp

from bench import stock
from bench.bed import Bed
from bench.figures import Figure, figure
from bench.rows import Say

AT_A_TIME = 256
"""Calls under way: what one gateway's proxy lets through."""
ARRIVAL = 60.0
"""Seconds within which Sonos notices that we are back, household by household."""
PAUSE = (1.0, 5.0)
"""Seconds before a household that was put off asks again."""
MINUTES = 5


async def back_again(bed: Bed, say: Say, *, households: int) -> list[Figure]:
    """Let them all come back, and measure until the last one has a fresh token."""
    say(f"herd: {households:,} households with stale tokens")
    tokens = await bed.stock.tokens(households, age=2 * stock.HOUR)
    requests = [stock.guarded(token).partition(b"\r\n\r\n")[2] for token in tokens]
    with bed.unpinned():
        await bed.start_worker("token_worker")
        await bed.start_gateway()
        arrival = ARRIVAL * min(households / 100_000, 1)
        herd = _Herd(bed.system.endpoint)
        begun = time.perf_counter()
        async with asyncio.timeout(MINUTES * 60):
            await herd.run(requests, arrival)
    seconds = time.perf_counter() - begun
    herd.latencies.sort()
    say(f"herd: back after {seconds:.0f} s")
    return [
        figure(
            "herd_seconds",
            f"herd: {households:,} households back after an outage, all with fresh tokens",
            "s",
            [seconds],
            at_least=MINUTES * 60,
            arrival_s=arrival,
            put_off=float(herd.put_off),
            told_to_sign_in=float(herd.sent_away),
        ),
        figure(
            "herd_p99",
            "herd: p99 of a call",
            "ms",
            [herd.latencies[len(herd.latencies) * 99 // 100]],
            at_least=2_000,
            p50_ms=herd.latencies[len(herd.latencies) // 2],
        ),
        figure(
            "herd_sent_away",
            "herd: households told to sign in again",
            "households",
            [float(herd.sent_away)],
            at_least=0,
        ),
    ]


class _Herd:
    def __init__(self, url: str) -> None:
        self._url = url
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self.latencies: list[float] = []
        self.put_off = 0
        self.sent_away = 0

    async def run(self, requests: list[bytes], arrival: float) -> None:
        """Send every household, evenly, and wait until each has what it came for."""
        connector = aiohttp.TCPConnector(limit=AT_A_TIME)
        async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as tasks:
            begun = time.perf_counter()
            for number, request in enumerate(requests):
                tasks.create_task(self._household(http, request))
                if number % 50 == 0:
                    await asyncio.sleep(
                        max(begun + arrival * number / len(requests) - time.perf_counter(), 0)
                    )

    async def _household(self, http: aiohttp.ClientSession, request: bytes) -> None:
        while True:
            async with self._slots:
                asked = time.perf_counter()
                async with http.post(self._url, data=request) as response:
                    answer = await response.read()
                self.latencies.append((time.perf_counter() - asked) * 1000)
            if b"TokenRefreshRequired" in answer:
                return
            if b"ServiceUnavailable" not in answer:
                self.sent_away += 1
                return
            self.put_off += 1
            await asyncio.sleep(random.uniform(*PAUSE))
