"""Traces by OpenTelemetry, sent by OTLP over HTTP; loaded where the settings ask for it alone.

Spans are our own few: the instrumentations there are write whole addresses, with the link codes and authorization codes in them.
"""

import asyncio
import hashlib
import time
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from shared.traces import Links, Side, Span

EXPORT_SECONDS = 5
"""How long a collector may take for what it is sent."""
_NANO = 1_000_000_000
_KINDS: dict[Side, SpanKind] = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "client": SpanKind.CLIENT,
}


def to_collector(url: str, service: str, *, share: float) -> "OtelTraces":
    """Return traces that go to a collector of OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`."""
    return OtelTraces(service, OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS), share=share)


class OtelTraces:
    """Makes OpenTelemetry's spans of ours."""

    is_on = True

    def __init__(self, service: str, exporter: SpanExporter, *, share: float = 1.0) -> None:
        """Take whose spans they are, where they go, and the share of all traces that is kept."""
        self._share = share
        self._links = Links()
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.version": version("latchkey")}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("latchkey")

    def concerns(self, correlation_id: str, link_id: str) -> None:
        """Remember what a call is about."""
        self._links.keep(correlation_id, link_id)

    def tell(self, span: Span) -> None:
        """Hand a span to the exporter's own thread."""
        name = span.link_id or self._links.of(span.correlation_id) or span.correlation_id
        digest = hashlib.sha256(f"trace {name}".encode()).digest()
        # By the trace's name, so that all processes keep the same ones.
        if int.from_bytes(digest[24:]) >= self._share * 2**64:
            return
        trace_id, first_id, ended = int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]), time.time_ns()
        if span.begins:
            self._ids.give(trace_id, first_id)
        made = self._tracer.start_span(
            span.name,
            context=None if span.begins else _below(trace_id, first_id),
            kind=_KINDS[span.side],
            attributes={"latchkey.correlation_id": span.correlation_id, "latchkey.outcome": span.outcome},
            start_time=ended - round(span.seconds * _NANO),
        )
        if span.failed:
            made.set_status(Status(StatusCode.ERROR))
        made.end(ended)

    async def close(self) -> None:
        """Send what is left, and end the exporter's thread."""
        await asyncio.to_thread(self._provider.shutdown)


class _GivenIds(RandomIdGenerator):
    """Names the next span as it was told, and all others at random."""

    def __init__(self) -> None:
        self._trace_id: int | None = None
        self._span_id: int | None = None

    def give(self, trace_id: int, span_id: int) -> None:
        self._trace_id, self._span_id = trace_id, span_id

    def generate_trace_id(self) -> int:
        given, self._trace_id = self._trace_id, None
        return super().generate_trace_id() if given is None else given

    def generate_span_id(self) -> int:
        given, self._span_id = self._span_id, None
        return super().generate_span_id() if given is None else given


def _below(trace_id: int, span_id: int) -> Context:
    first = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(first), Context())
