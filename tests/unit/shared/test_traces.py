"""Spans of ours, as OpenTelemetry has them."""

import asyncio
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import otel
from shared.otel import OtelTraces, to_collector
from shared.traces import MOST_CALLS, Links, Span

CALL = Span(
    name="smapi getAppLink", side="server", seconds=0.25, outcome="ok", correlation_id="call-1", begins=True
)
EVENT = Span(
    name="handle link.requested",
    side="consumer",
    seconds=1,
    outcome="done",
    correlation_id="call-1",
    link_id="link-1",
)


async def told(*spans: Span, share: float = 1.0, about: tuple[str, str] | None = None) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    traces = OtelTraces("gateway", exporter, share=share)
    if about:
        traces.concerns(*about)
    for span in spans:
        traces.tell(span)
    await traces.close()
    return list(exporter.get_finished_spans())


async def test_processes_name_a_trace_alike() -> None:
    """Nothing is handed over: what began in one is continued by another that knows the link."""
    (call,) = await told(CALL, about=("call-1", "link-1"))
    (event,) = await told(EVENT)

    assert call.parent is None
    assert (call.context.trace_id, call.context.span_id) == (event.context.trace_id, event.parent.span_id)


async def test_without_a_link_the_call_is_the_trace() -> None:
    """A refresh, and what follows from it."""
    call, event = await told(CALL, replace(EVENT, link_id=""))

    assert (call.context.trace_id, call.context.span_id) == (event.context.trace_id, event.parent.span_id)


async def test_span_tells_when_and_how_it_ended() -> None:
    """It is told when it is over, and began so long before."""
    (call,) = await told(replace(CALL, outcome="Server.ServiceUnavailable", failed=True))

    assert 250_000_000 == call.end_time - call.start_time
    assert {"latchkey.correlation_id": "call-1", "latchkey.outcome": "Server.ServiceUnavailable"} == dict(
        call.attributes
    )
    assert not call.status.is_ok


@pytest.mark.parametrize(("share", "kept"), [(0, 0), (1, 400)])
async def test_share_of_all_or_none(share: float, kept: int) -> None:
    """By the name of the trace."""
    spans = [replace(CALL, correlation_id=f"call-{number}") for number in range(400)]

    assert kept == len(await told(*spans, share=share))


async def test_of_a_kept_trace_everything_is_kept() -> None:
    """Whoever decides, decides alike."""
    spans = [
        replace(span, correlation_id=f"call-{number}", link_id="")
        for number in range(100)
        for span in (CALL, EVENT)
    ]
    kept = await told(*spans, share=0.5)

    assert {2} == {sum(each.context.trace_id == one.context.trace_id for each in kept) for one in kept}
    assert 0 < len(kept) < len(spans)


def test_calls_that_never_end_are_forgotten() -> None:
    """Their links make room, the oldest first."""
    links = Links()
    for number in range(MOST_CALLS + 1):
        links.keep(f"call-{number}", f"link-{number}")

    assert ("", "link-1") == (links.of("call-0"), links.of("call-1"))


async def test_collector_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was sent is lost, and the next is sent."""
    monkeypatch.setattr(otel, "EXPORT_SECONDS", 0.1)
    given_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        given_up.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server, asyncio.timeout(30):
        port = server.sockets[0].getsockname()[1]
        traces = to_collector(f"http://127.0.0.1:{port}/v1/traces", "gateway", share=1)
        traces.tell(CALL)
        await traces.close()
        await given_up.wait()
