"""The load generator: a process of its own, so that its work is never mistaken for the server's.

    python -m bench.load JOB REQUESTS

JOB is a `Job` as JSON, REQUESTS a file of whole HTTP requests, each behind its length in four bytes. What was measured is printed as
a `Measured` in JSON. Requests are made beforehand and answers are looked at no more than necessary: some 15 µs each, a third of what
the cheapest server here takes, so that one core of it saturates one core of anything measured.
"""

import asyncio
import itertools
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.processes import cpu_seconds

_TIMEOUT = 30.0
_REOPENING: set["asyncio.Future[None]"] = set()


class Job(msgspec.Struct, kw_only=True):
    """What to do to which server."""

    ports: list[int]
    """Connections are spread over them in turn."""
    connections: int = 32
    seconds: float
    warm_up: float = 0.5
    rate: float | None = None
    """Requests a second, whether or not answers come (open loop); None: the next when the last is answered (closed loop)."""
    once: bool = False
    """End when each request was sent once."""
    expect: str = ""
    """What the beginning of every right answer says, such as `HTTP/1.1 200`."""
    holds: str = ""
    """What every right answer holds."""
    watched: dict[str, list[int]] = {}
    """Part of the system -> its processes, whose CPU time is taken."""


class Measured(msgspec.Struct, kw_only=True):
    """What came of it."""

    requests: int
    wrong: int
    """Answers that were not as expected, and requests that were never answered."""
    example: str = ""
    """The beginning of a wrong one."""
    seconds: float
    latencies_ms: dict[str, float]
    """p50, p90, p99, max; in an open loop from the moment at which the request was due."""
    cpu_us: dict[str, float]
    """Part of the system -> microseconds of CPU time per request."""
    generator_busy: float
    """Share of its core that the generator itself took: above 0.9 it measured itself."""
    statuses: dict[str, int] = {}

    @property
    def rate(self) -> float:
        """Return answers a second."""
        return self.requests / self.seconds


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """Write what `read_requests` reads."""
    path.write_bytes(b"".join(len(request).to_bytes(4) + request for request in requests))


def read_requests(path: Path) -> list[bytes]:
    """Return the requests of a file."""
    content, requests, at = path.read_bytes(), [], 0
    while at < len(content):
        end = at + 4 + int.from_bytes(content[at : at + 4])
        requests.append(content[at + 4 : end])
        at = end
    return requests


class _Load:
    """The state that all connections share."""

    def __init__(self, job: Job, requests: list[bytes]) -> None:
        self.job = job
        self.requests: Iterator[bytes] = iter(requests) if job.once else itertools.cycle(requests)
        self.latencies = array("d")
        self.statuses: Counter[str] = Counter()
        self.wrong = 0
        self.example = ""
        self.counting = False
        self.over = False
        self.exhausted = asyncio.Event()
        self.due: deque[float] = deque()
        self.idle: deque[_Connection] = deque()
        self._expect = job.expect.encode()
        self._holds = job.holds.encode()

    def answered(self, asked_at: float, answer: bytes) -> None:
        if not self.counting:
            return
        self.latencies.append(time.perf_counter() - asked_at)
        if not answer.startswith(self._expect) or self._holds not in answer:
            self.mistake(answer[:2000].decode(errors="replace"))

    def mistake(self, example: str) -> None:
        if self.counting:
            self.wrong += 1
            self.example = self.example or example

    def next_for(self, connection: "_Connection") -> None:
        """Give a connection that is free its next request, if there is one now."""
        if self.over:
            return
        if self.job.rate is None:
            connection.ask(time.perf_counter())
        elif self.due:
            connection.ask(self.due.popleft())
        else:
            self.idle.append(connection)

    def arrive(self, due: float) -> None:
        if self.idle:
            self.idle.popleft().ask(due)
        else:
            self.due.append(due)


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = b""
        self._asked_at = 0.0
        self._waiting = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._load.next_for(self)

    def ask(self, asked_at: float) -> None:
        request = next(self._load.requests, None)
        if request is None:
            self._load.exhausted.set()
            return
        self._asked_at, self._waiting = asked_at, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        if not _is_whole(data):
            self._received = data
            return
        self._received, self._waiting = b"", False
        self._load.answered(self._asked_at, data)
        self._load.next_for(self)

    def connection_lost(self, _: Exception | None) -> None:
        if self._waiting and not self._load.over:
            self._load.mistake("the connection was closed in the middle")
        if not self._load.over:
            _REOPENING.add(task := asyncio.ensure_future(self._again()))
            task.add_done_callback(_REOPENING.discard)

    async def _again(self) -> None:
        host, port = self._transport.get_extra_info("peername")[:2]
        await asyncio.get_running_loop().create_connection(lambda: _Connection(self._load), host, port)


def _is_whole(data: bytes) -> bool:
    """Tell whether an answer has come to its end, by its length or by its last chunk."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return False
    at = data.find(b"Content-Length: ", 0, head)
    if at < 0:
        lower = data[:head].lower()
        at = lower.find(b"content-length:")
        if at < 0:
            return b"transfer-encoding: chunked" not in lower or data.endswith(b"0\r\n\r\n")
    end = data.find(b"\r\n", at)
    return len(data) - head - 4 >= int(data[data.find(b":", at) + 1 : end])


async def run(job: Job, requests: list[bytes]) -> Measured:
    """Do a job."""
    loop, load = asyncio.get_running_loop(), _Load(job, requests)
    load.counting = job.once
    begun, cpu, own = time.perf_counter(), _cpu(job), time.process_time()
    transports = []
    for number in range(job.connections):
        port = job.ports[number % len(job.ports)]
        transport, _ = await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port)
        transports.append(transport)
    arrivals = asyncio.create_task(_arrivals(load, job.rate)) if job.rate else None
    if not job.once:
        await asyncio.sleep(job.warm_up)
        begun, cpu, own = time.perf_counter(), _cpu(job), time.process_time()
        load.counting = True
    try:
        async with asyncio.timeout(job.seconds):
            await load.exhausted.wait()
            async with asyncio.timeout(_TIMEOUT):
                while len(load.latencies) + load.wrong < len(requests):
                    await asyncio.sleep(0.001)
    except TimeoutError:
        await _first_answer(load)
    seconds, spent = time.perf_counter() - begun, time.process_time() - own
    after = _cpu(job)
    load.counting, load.over = False, True
    if arrivals:
        arrivals.cancel()
    for transport in transports:
        transport.abort()
    return _measured(load, seconds, spent, {part: after[part] - cpu[part] for part in cpu})


async def _first_answer(load: _Load) -> None:
    """Go on until there is an answer at all: a disk that stalls for longer than a short job lasts makes it slow, not wrong."""
    deadline = time.perf_counter() + _TIMEOUT
    while not load.latencies and not load.wrong and time.perf_counter() < deadline:
        await asyncio.sleep(0.001)


async def _arrivals(load: _Load, rate: float) -> None:
    """Let requests fall due evenly, however late this task itself is woken."""
    begun, sent = time.perf_counter(), 0
    while True:
        due = int((time.perf_counter() - begun) * rate)
        while sent < due:
            load.arrive(begun + (sent + 1) / rate)
            sent += 1
        await asyncio.sleep(max(begun + (sent + 1) / rate - time.perf_counter(), 0))


def _cpu(job: Job) -> dict[str, float]:
    return {part: cpu_seconds(pids) for part, pids in job.watched.items()}


def _measured(load: _Load, seconds: float, own: float, cpu: dict[str, float]) -> Measured:
    latencies = sorted(load.latencies)
    count = len(latencies)
    return Measured(
        requests=count,
        wrong=load.wrong,
        example=load.example,
        seconds=seconds,
        latencies_ms={}
        if not count
        else {
            "p50": latencies[count // 2] * 1000,
            "p90": latencies[count * 9 // 10] * 1000,
            "p99": latencies[count * 99 // 100] * 1000,
            "max": latencies[-1] * 1000,
        },
        cpu_us={part: spent / max(count, 1) * 1e6 for part, spent in cpu.items()},
        generator_busy=own / seconds,
    )


def main() -> None:
    """Do the job that the arguments name."""
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    requests = read_requests(Path(sys.argv[2]))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        measured = runner.run(run(job, requests))
    sys.stdout.buffer.write(msgspec.json.encode(measured))


def loop_factory() -> type | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


if __name__ == "__main__":
    main()
