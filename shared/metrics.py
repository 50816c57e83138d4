"""What is counted, for Prometheus: one registry per process, handed on in the context.

Labels have few values that are known beforehand: never an id, never anything that somebody outside may choose.
"""

from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import InfoMetricFamily
from prometheus_client.registry import Collector


class Metrics:
    """What one process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_Build())

    async def exposition(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


class _Build(Collector):
    def collect(self) -> list[InfoMetricFamily]:
        build = InfoMetricFamily("latchkey_build", "The version that runs here.")
        build.add_metric([], {"version": version("latchkey")})
        return [build]
