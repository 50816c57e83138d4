"""A collector of traces: takes what processes send by OTLP over HTTP, and keeps it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.play.ports import free_port


@dataclass
class Collector:
    """What was sent."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    spans: list[tuple[str, Span]] = field(default_factory=list)
    """With the service that each is of."""

    @property
    def traces(self) -> dict[bytes, list[tuple[str, Span]]]:
        """Return the spans of each trace, in the order in which they began."""
        found: dict[bytes, list[tuple[str, Span]]] = {}
        for service, span in sorted(self.spans, key=lambda each: each[1].start_time_unix_nano):
            found.setdefault(span.trace_id, []).append((service, span))
        return found

    async def take(self, request: web.Request) -> web.Response:
        """Keep one request's spans."""
        self.bodies.append(body := await request.read())
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            values = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(values["service.name"], span) for span in scope.spans]
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
        )


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Collect while the block lasts."""
    port = free_port()
    collector = Collector(f"http://127.0.0.1:{port}/v1/traces")
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield collector
    finally:
        await runner.cleanup()
