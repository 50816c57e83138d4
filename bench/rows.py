"""The rows of the table that are ratios to the floor: one gateway on one core, 32 connections, each answered before it asks again."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench import stock
from bench.bed import Bed
from bench.figures import Figure, figure
from bench.load import Job, Measured

CONNECTIONS = 32

Say = Callable[[str], None]
"""Told what is going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of call."""

    name: str
    what: str
    requests: Sequence[bytes]
    status: int
    holds: str
    at_least: float | None = None
    aim: float | None = None
    part: str = "gateway"
    """Whose CPU time it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long and how often is measured."""

    rounds: int
    seconds: float

    def job(self, port: int, row: Row | None = None) -> Job:
        """Return what the load generator is told."""
        return Job(
            ports=[port],
            connections=CONNECTIONS,
            seconds=self.seconds,
            warm_up=min(0.5, self.seconds / 3),
            expect=f"HTTP/1.1 {row.status}" if row else "",
            holds=row.holds if row else "",
        )


class WrongAnswers(Exception):
    """The server said something else than it should; no time of it is worth anything."""


async def hot_rows(bed: Bed, *, count: int) -> list[Row]:
    """Return the calls of the hot path, with households for them."""
    made = bed.stock
    pending = await made.pending(count)
    linked = await made.linked(min(count, 2_000))
    tokens = await made.tokens(min(count, 2_000))
    forged = [
        stock.Link(code=f"{link.code[:-6]}000000", device_id=link.device_id, link_id="") for link in pending
    ]
    return [
        Row(
            name="poll_pending",
            what="pending poll",
            requests=[stock.poll(link) for link in pending],
            status=500,
            holds="NOT_LINKED_RETRY",
            at_least=0.60,
            aim=0.72,
        ),
        Row(
            name="poll_linked",
            what="linked poll, delivery opened",
            requests=[stock.poll(link) for link in linked],
            status=200,
            holds="privateKey",
            at_least=0.25,
            aim=0.40,
        ),
        Row(
            name="poll_forged",
            what="forged code",
            requests=[stock.poll(link) for link in forged],
            status=500,
            holds="NOT_LINKED_FAILURE",
            at_least=0.55,
            aim=0.65,
        ),
        Row(
            name="verify",
            what="GET /verify, token seen before",
            requests=[stock.verify(token) for token in tokens],
            status=200,
            holds="Latchkey-Account",
            at_least=0.70,
            aim=0.85,
        ),
        Row(
            name="guarded",
            what="guarded SOAP call, token seen before",
            requests=[stock.guarded(token) for token in tokens],
            status=200,
            holds="favorites",
            at_least=0.45,
            aim=0.55,
        ),
    ]


def app_link_row(count: int) -> Row:
    """Return the beginning of links."""
    return Row(
        name="app_link",
        what="getAppLink, confirmed on a quorum queue",
        requests=[stock.app_link(number) for number in range(count)],
        status=200,
        holds="linkCode",
        at_least=0.30,
        aim=0.45,
    )


def busy_app_link_row(count: int) -> Row:
    """Return the same, measured while workers write the rows on the core that the broker needs: no figure of the gateway's alone."""
    return replace(
        app_link_row(count),
        name="app_link_busy",
        what="getAppLink, while a worker, PostgreSQL, the broker and the load share the other core",
        at_least=None,
        aim=None,
    )


async def against_floor(bed: Bed, rows: Sequence[Row], port: int, pace: Pace, say: Say) -> list[Figure]:
    """Measure rows and, in turn with each, a bare handler that answers as many bytes."""
    answers = []
    for row in rows:
        answers.append((await bed.measure(_one(port), row.requests[:1])).example)
        # Once each, so that what is seen for the first time is not mixed up with what is known.
        await bed.measure(Job(ports=[port], seconds=30, once=True), row.requests[:2_000])
    lengths = [_content_length(answer) for answer in answers]
    methods = [row.requests[0].split(b" ", 1)[0].decode() for row in rows]
    constants = [
        f"{method}:{row.status}:{length}" for method, row, length in zip(methods, rows, lengths, strict=True)
    ]
    pairs: list[list[tuple[Measured, Measured]]] = [[] for _ in rows]
    with bed.floor(constants) as floor_port:
        for number in range(pace.rounds):
            for at, row in enumerate(rows):
                say(f"{row.what}, round {number + 1} of {pace.rounds}")
                bare = [_moved(request, f"/{at}") for request in row.requests[:500]]
                floor = await bed.measure(pace.job(floor_port), bare)
                pairs[at].append((await measured(bed, pace.job(port, row), row.requests), floor))
    return [_ratio(row, pair) for row, pair in zip(rows, pairs, strict=True)]


async def measured(bed: Bed, job: Job, requests: Sequence[bytes]) -> Measured:
    """Measure, and refuse to give times of wrong answers.

    Raises:
        WrongAnswers: more than one in a thousand, or nothing was answered.
    """
    result = await bed.measure(job, requests)
    if not result.requests:
        raise WrongAnswers(
            f"nothing was answered within {result.seconds:.1f} s {result.example[:300]}".rstrip()
        )
    if result.wrong > result.requests / 1000:
        raise WrongAnswers(f"{result.wrong} of {result.requests}, such as: {result.example[:300]}")
    return result


def cpu_of(result: Measured, *parts: str) -> float:
    """Return the microseconds of CPU time per request of the parts whose names begin so."""
    return sum(spent for name, spent in result.cpu_us.items() if name.startswith(parts))


def _ratio(row: Row, pairs: Sequence[tuple[Measured, Measured]]) -> Figure:
    results, floors = zip(*pairs, strict=True)
    median = statistics.median
    return figure(
        row.name,
        row.what,
        "ratio",
        [result.rate / floor.rate for result, floor in pairs],
        at_least=row.at_least,
        aim=row.aim,
        cpu_ratio=median(cpu_of(floor, "floor") / cpu_of(result, row.part) for result, floor in pairs),
        rate=median(result.rate for result in results),
        floor_rate=median(floor.rate for floor in floors),
        cpu_us=median(cpu_of(result, row.part) for result in results),
        floor_cpu_us=median(cpu_of(floor, "floor") for floor in floors),
        postgres_cpu_us=median(cpu_of(result, "postgres") for result in results),
        broker_cpu_us=median(cpu_of(result, "rabbit") for result in results),
        p50_ms=median(result.latencies_ms["p50"] for result in results),
        p99_ms=median(result.latencies_ms["p99"] for result in results),
        floor_p99_ms=median(floor.latencies_ms["p99"] for floor in floors),
        generator_busy=max(each.generator_busy for pair in pairs for each in pair),
    )


def _one(port: int) -> Job:
    # Nothing begins like that, so that the answer is given back as an example.
    return Job(ports=[port], connections=1, seconds=10, once=True, expect="-")


def _content_length(answer: str) -> int:
    for line in answer.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    # In chunks, whose marks are a few bytes more.
    return len(answer.partition("\r\n\r\n")[2])


def _moved(request: bytes, path: str) -> bytes:
    method, _, rest = request.split(b" ", 2)
    return b" ".join((method, path.encode(), rest))
