"""The worker: each way in which an event can end, on both buses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared import wire, worker
from shared.bus.base import Bus, BusUnavailable, Delivery
from shared.domain.errors import LinkTaken
from shared.health import Health
from shared.messages import Event, LinkRequested, TokenSeen
from shared.metrics import Metrics
from shared.settling import MOST_ATTEMPTS, Retry
from shared.storage.base import Conflict, StoreUnavailable
from shared.traces import NoTraces, Traces
from shared.worker import Batched
from tests.contract.conftest import PATIENCE

QUEUE = "auth.link"


@dataclass
class Context:
    """What the handlers of these tests are given."""

    bus: Bus
    health: Health = field(default_factory=Health)
    metrics: Metrics = field(default_factory=Metrics)
    traces: Traces = field(default_factory=NoTraces)
    handled: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self.handled.get()


Handle = Callable[[LinkRequested, Context], Awaitable[None]]


def requested(name: str) -> LinkRequested:
    return LinkRequested(service="default", link_id=name, lifetime=600, household_id="Sonos_x")


@asynccontextmanager
async def working(
    bus: Bus, handle: Handle | Batched[Context], *, deadline: float = 5.0, drain: float = 10.0
) -> AsyncIterator[Context]:
    """Run a worker for `link.requested` while the block lasts."""
    context, stop = Context(bus), asyncio.Event()
    running = asyncio.create_task(
        worker.run({LinkRequested: handle}, context, stop=stop, prefetch=4, deadline=deadline, drain=drain)
    )
    try:
        yield context
    finally:
        stop.set()
        await running


async def buried(bus: Bus) -> list[tuple[str, str]]:
    """Wait for dead letters and return their queues and reasons."""
    async with asyncio.timeout(PATIENCE):
        while not (letters := await bus.dead_letters()):
            await asyncio.sleep(0.02)
    return [(letter.queue, letter.reason) for letter in letters]


def failing(error: Exception, times: int) -> Handle:
    """Return a handler that fails so often, and then does its work."""
    left = times

    async def handle(event: LinkRequested, context: Context) -> None:
        nonlocal left
        if left:
            left -= 1
            raise error
        await context.handled.put(event.link_id)

    return handle


async def test_event_is_handled_and_gone(bus: Bus) -> None:
    """Done is done: nothing is left in the queue, nothing dead."""
    async with working(bus, failing(Retry(), 0)) as context:
        await bus.publish([requested("one")])
        handled = await context.next()

    assert "one" == handled
    assert [] == await bus.dead_letters()


@pytest.mark.parametrize(
    "error",
    [Retry("not yet"), StoreUnavailable("away"), BusUnavailable("away"), TimeoutError(), Conflict()],
    ids=lambda error: type(error).__name__,
)
async def test_passing_failure_is_tried_again(bus: Bus, error: Exception) -> None:
    """What may pass costs an attempt and a delay, nothing else."""
    times = worker.CONFLICTS_IN_PLACE + 1 if isinstance(error, Conflict) else 2
    async with working(bus, failing(error, times)) as context:
        await bus.publish([requested("one")])
        handled = await context.next()

    assert "one" == handled
    assert [] == await bus.dead_letters()


async def test_lost_swap_is_tried_again_at_once(bus: Bus) -> None:
    """Somebody else changed the row: read again, decide again, no delay, no attempt."""
    attempts = []

    async def handle(event: LinkRequested, context: Context) -> None:
        attempts.append(event.link_id)
        if len(attempts) < worker.CONFLICTS_IN_PLACE:
            raise Conflict
        await context.handled.put(event.link_id)

    async with working(bus, handle) as context:
        await bus.publish([requested("one")])
        await context.next()

    assert ["one"] * worker.CONFLICTS_IN_PLACE == attempts


async def test_refusal_is_an_answer(bus: Bus) -> None:
    """It is neither tried again nor buried."""
    async with working(bus, failing(LinkTaken(), 1)) as context:
        await bus.publish([requested("refused")])
        await bus.publish([requested("next")])
        handled = await context.next()

    assert "next" == handled
    assert [] == await bus.dead_letters()


async def test_unforeseen_failure_is_buried_without_its_words(bus: Bus) -> None:
    """The reason names type and place; what the error said could be a secret."""
    async with working(bus, failing(RuntimeError("canary-secret"), 1)):
        await bus.publish([requested("one")])
        ((queue, reason),) = await buried(bus)

    assert QUEUE == queue
    assert reason.startswith("RuntimeError in attempt 1 at ")
    assert "canary-secret" not in reason


async def test_last_attempt_is_buried(bus: Bus) -> None:
    """What does not pass in the end is kept with its event, for somebody to look at."""
    async with working(bus, failing(Retry("never"), 10**6)):
        await bus.retry(QUEUE, requested("one"), attempt=MOST_ATTEMPTS)
        await buried(bus)
    (letter,) = await bus.dead_letters()

    assert (requested("one"),) == wire.decode(letter.body).events


async def test_handler_has_a_deadline(bus: Bus) -> None:
    """A handler that hangs is ended and its event tried again; its neighbours are not held up."""
    hung = False

    async def handle(event: LinkRequested, context: Context) -> None:
        nonlocal hung
        if event.link_id == "hangs" and not hung:
            hung = True
            await asyncio.Event().wait()
        await context.handled.put(event.link_id)

    async with working(bus, handle, deadline=0.05) as context:
        await bus.publish([requested("hangs")])
        await bus.publish([requested("next")])
        handled = [await context.next(), await context.next()]

    assert ["next", "hangs"] == handled


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", "not a message of ours"),
        (b'{"v":1,"kind":"link.unheard_of","events":[]}', "unknown kind 'link.unheard_of'"),
        (b'{"v":99,"kind":"link.requested","events":[]}', "link.requested of version 99"),
        (b'{"v":1,"kind":"link.requested","events":[]}', "a message without events"),
        (b'{"v":1,"kind":"link.requested","events":[{"service":"default"}]}', "not a message of ours"),
        (
            wire.encode([TokenSeen(service="s", grant_id="g", family=1, generation=1)]),
            "no handler for this kind",
        ),
    ],
    ids=["not json", "unknown kind", "version", "empty", "missing field", "wrong queue"],
)
async def test_message_that_is_not_understood_is_buried(bus: Bus, body: bytes, reason: str) -> None:
    """At once, with the reason, and the next message is handled."""
    async with working(bus, failing(Retry(), 0)) as context:
        await _put(bus, body)
        ((_, told),) = await buried(bus)
        await bus.publish([requested("next")])
        await context.next()

    assert told.startswith(reason)


async def test_message_of_newer_code_is_kept_for_newer_workers(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an old worker cannot read is buried whole; put back once the workers are new, it is handled."""
    body = wire.encode([requested("from newer code")]).replace(b'"v":1', b'"v":2')
    async with working(bus, failing(Retry(), 0)):
        await _put(bus, body)
        await buried(bus)
    monkeypatch.setattr(LinkRequested, "version", 2)
    letters = [letter.letter_id for letter in await bus.dead_letters()]
    async with working(bus, failing(Retry(), 0)) as context:
        replayed = await bus.replay(letters)
        handled = await context.next()

    assert (1, "from newer code") == (replayed, handled)
    assert [] == await bus.dead_letters()


async def _put(bus: Bus, body: bytes) -> None:
    """Put bytes into the queue that no publisher of ours would."""
    from deploy.playground.bus import WatchedBus
    from shared.bus.memory import MemoryBus
    from shared.bus.rabbit import RabbitBus

    if isinstance(bus, WatchedBus):
        await _put(bus._bus, body)
    elif isinstance(bus, MemoryBus):
        bus._queues[QUEUE].put(body)
    else:
        assert isinstance(bus, RabbitBus)
        await bus._publishing.send("latchkey", "link.requested", body)


async def test_failing_event_of_many_goes_on_alone(bus: Bus) -> None:
    """Of three events in a message, the one that fails is tried again; the others are handled once."""
    failed = False

    async def handle(event: LinkRequested, context: Context) -> None:
        nonlocal failed
        if event.link_id == "two" and not failed:
            failed = True
            raise Retry
        await context.handled.put(event.link_id)

    async with working(bus, handle) as context:
        await bus.publish([requested("one"), requested("two"), requested("three")])
        handled = [await context.next() for _ in range(3)]

    assert ["one", "three", "two"] == handled


async def test_batch_is_handled_at_once(bus: Bus) -> None:
    """A batched handler gets all events of a message together."""
    batches = []

    async def handle(events: Sequence[LinkRequested], context: Context) -> None:
        batches.append([event.link_id for event in events])
        await context.handled.put("")

    async with working(bus, Batched(handle)) as context:
        await bus.publish([requested("one"), requested("two")])
        await context.next()

    assert [["one", "two"]] == batches


async def test_failing_batch_is_taken_apart(bus: Bus) -> None:
    """The event at fault is found by asking again for each alone."""

    async def handle(events: Sequence[LinkRequested], context: Context) -> None:
        if any(event.link_id == "poison" for event in events):
            raise RuntimeError
        for event in events:
            await context.handled.put(event.link_id)

    async with working(bus, Batched(handle)) as context:
        await bus.publish([requested("one"), requested("poison"), requested("two")])
        handled = [await context.next(), await context.next()]
        await buried(bus)
    (letter,) = await bus.dead_letters()

    assert ["one", "two"] == handled
    assert (requested("poison"),) == wire.decode(letter.body).events


async def test_started_handler_finishes_before_the_worker_ends(bus: Bus) -> None:
    """A stop lets what was begun come to its end."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(event: LinkRequested, context: Context) -> None:
        begun.set()
        await go_on.wait()
        await context.handled.put(event.link_id)

    async with working(bus, handle) as context:
        await bus.publish([requested("one")])
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)

    assert "one" == context.handled.get_nowait()


async def test_unfinished_event_comes_again_elsewhere(bus: Bus) -> None:
    """What a worker could not finish in its time is not lost."""
    begun = asyncio.Event()

    async def hang(_: LinkRequested, __: Context) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(PATIENCE), working(bus, hang, deadline=3600, drain=0.05):
        await bus.publish([requested("one")])
        await begun.wait()
    async with working(bus, failing(Retry(), 0)) as context:
        handled = await context.next()

    assert "one" == handled


class Hesitant:
    """A bus that does not confirm what follows from a message, so often; else the bus it stands before."""

    def __init__(self, bus: Bus, times: int, error: Exception | None = None) -> None:
        self._bus = bus
        self._error = error or BusUnavailable("not now")
        self._left = times
        self.refused = asyncio.Event()
        self.confirmed: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def retry(self, queue: str, event: Event, *, attempt: int) -> None:
        self._hesitate()
        await self._bus.retry(queue, event, attempt=attempt)
        self.confirmed.append(attempt)

    async def bury(self, queue: str, body: bytes, *, reason: str) -> None:
        self._hesitate()
        await self._bus.bury(queue, body, reason=reason)

    def _hesitate(self) -> None:
        if self._left:
            self._left -= 1
            self.refused.set()
            raise self._error


async def test_retry_is_asked_for_until_it_is_confirmed(bus: Bus) -> None:
    """The handler is not run again for it meanwhile, and no attempt is lost."""
    hesitant = Hesitant(bus, times=2)
    async with working(hesitant, failing(Retry(), 1)) as context:
        await bus.publish([requested("one")])
        await context.next()

    assert [2] == hesitant.confirmed


async def test_burial_is_asked_for_until_it_is_confirmed(bus: Bus) -> None:
    """The handler that failed is not run again for it."""
    runs = []

    async def handle(event: LinkRequested, _: Context) -> None:
        runs.append(event.link_id)
        raise RuntimeError

    async with working(Hesitant(bus, times=2), handle):
        await bus.publish([requested("one")])
        await buried(bus)

    assert ["one"] == runs


async def test_message_outlives_a_fault_of_our_own(bus: Bus) -> None:
    """Whatever goes wrong while a message is settled, it comes again."""
    faulty = Hesitant(bus, times=1, error=TypeError())
    async with working(faulty, failing(Retry(), 1)) as context:
        await bus.publish([requested("one")])
        handled = await context.next()

    assert "one" == handled


async def test_fault_of_our_own_does_not_spin(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message does not come again at once, and its neighbours go on."""
    monkeypatch.setattr(worker, "_FAULT_SECONDS", 3600)
    runs = []

    async def handle(event: LinkRequested, context: Context) -> None:
        runs.append(event.link_id)
        if event.link_id == "one":
            raise Retry
        await context.handled.put(event.link_id)

    faulty = Hesitant(bus, times=10**6, error=TypeError())
    async with working(faulty, handle, drain=0.05) as context:
        await bus.publish([requested("one")])
        await faulty.refused.wait()
        for name in ("two", "three"):
            await bus.publish([requested(name)])
            await context.next()

    assert ["one", "two", "three"] == runs


async def test_message_is_handed_back_when_the_worker_ends_first(bus: Bus) -> None:
    """Asked to end while the broker takes nothing, a worker does not wait for it, and loses nothing."""
    hesitant = Hesitant(bus, times=10**6)
    async with working(hesitant, failing(Retry(), 1), drain=60):
        await bus.publish([requested("one")])
        await hesitant.refused.wait()
    async with working(bus, failing(Retry(), 0)) as context:
        handled = await context.next()

    assert "one" == handled


async def worn_out(bus: Bus) -> None:
    """Let readers die with the one message of the queue until no worker would touch it."""
    worn, stopped = asyncio.Event(), asyncio.Event()

    async def die(delivery: Delivery) -> None:
        if delivery.redeliveries > worker.MOST_REDELIVERIES:
            worn.set()
            await stopped.wait()

    await bus.consume(QUEUE, die, prefetch=1)
    async with asyncio.timeout(PATIENCE):
        await worn.wait()
    await bus.stop_consuming()
    stopped.set()


async def test_event_that_takes_its_readers_down_is_buried(bus: Bus) -> None:
    """Nobody tries it for ever: it has had its second chance."""
    await bus.retry(QUEUE, requested("deadly"), attempt=2)
    await worn_out(bus)
    async with working(bus, failing(Retry(), 0)) as context:
        ((queue, reason),) = await buried(bus)

    assert QUEUE == queue
    assert reason.startswith("took its reader down 1")
    assert context.handled.empty()


async def test_event_gets_a_second_chance(bus: Bus) -> None:
    """What took it back so often may have been a network, or a broker without patience."""
    await bus.publish([requested("unlucky")])
    await worn_out(bus)
    async with working(bus, failing(Retry(), 0)) as context:
        handled = await context.next()

    assert ("unlucky", []) == (handled, await bus.dead_letters())


async def test_neighbours_of_what_takes_its_readers_down_are_tried_alone(bus: Bus) -> None:
    """Of many events in a message, one is at fault at most."""
    await bus.publish([requested("one"), requested("two")])
    await worn_out(bus)
    async with working(bus, failing(Retry(), 0)) as context:
        handled = {await context.next(), await context.next()}

    assert {"one", "two"} == handled
    assert [] == await bus.dead_letters()


async def test_no_more_handlers_at_a_time_than_asked_for(bus: Bus) -> None:
    """However many events a message carries."""
    at_work = most = 0

    async def handle(event: LinkRequested, context: Context) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1
        await context.handled.put(event.link_id)

    async with working(bus, handle) as context:
        await bus.publish([requested(str(number)) for number in range(50)])
        for _ in range(50):
            await context.next()

    assert 4 == most


async def test_batch_is_not_taken_apart_for_the_database(bus: Bus) -> None:
    """A database that is away is away for each of them."""
    sizes = []

    async def handle(events: Sequence[LinkRequested], context: Context) -> None:
        sizes.append(len(events))
        if len(sizes) == 1:
            raise StoreUnavailable
        for event in events:
            await context.handled.put(event.link_id)

    async with working(bus, Batched(handle)) as context:
        await bus.publish([requested("one"), requested("two")])
        handled = {await context.next(), await context.next()}

    # They come again alone, and go together again if they come at once.
    assert ({"one", "two"}, 2, 4) == (handled, sizes[0], sum(sizes))


async def test_worker_says_how_it_is(bus: Bus) -> None:
    """Fit while messages reach it, dead to its supervisor when a handler will not end, and unfit once it is told to stop."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def overstay(_: LinkRequested, __: Context) -> None:
        begun.set()
        # Heeds no deadline.
        while not go_on.is_set():
            with suppress(asyncio.CancelledError):
                await go_on.wait()

    async with working(bus, overstay, deadline=0) as context:
        at_rest = [(await context.health.readyz()).is_well, (await context.health.livez()).is_well]
        await bus.publish([requested("one")])
        await begun.wait()
        hanging = [(await context.health.readyz()).is_well, (await context.health.livez()).is_well]
        go_on.set()
    stopped = await context.health.readyz()

    assert [[True, True], [True, False]] == [at_rest, hanging]
    assert {"status": "not ready", "messages": "stopping"} == stopped.body


async def test_worker_counts_what_it_does(bus: Bus) -> None:
    """How each event ended, and what was buried."""

    async def handle(event: LinkRequested, context: Context) -> None:
        context.handled.put_nowait(event.link_id)
        if event.link_id == "broken":
            raise ZeroDivisionError

    async with working(bus, handle) as context:
        for name in ("one", "two", "broken"):
            await bus.publish([requested(name)])
            await context.next()
        await buried(bus)

    counted = {labels: sum(tally.counts) for labels, tally in context.metrics.events.tallies.items()}
    assert {("link.requested", "done"): 2, ("link.requested", "buried"): 1} == counted
    assert {("auth.link",): 1} == context.metrics.buried.counts


async def test_told_to_end_before_it_began(bus: Bus) -> None:
    """A worker that is stopped while it waits for its tables takes no message, and does not say that it started."""
    handled: list[str] = []
    stop = asyncio.Event()
    stop.set()

    async def handle(event: LinkRequested, _: Context) -> None:
        handled.append(event.link_id)

    await bus.publish([requested("one")])
    with capture_logs() as lines:
        await worker.run({LinkRequested: handle}, Context(bus), stop=stop)

    assert ["worker stopped"] == [line["event"] for line in lines]
    assert [] == handled
