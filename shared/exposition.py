"""Metrics as Prometheus reads them; loaded where somebody may ask."""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared.metrics import Counted, Family, Level, Metrics, Timed

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Exposition:
    """What one process counts, and what its operating system says of it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Its own, not the library's global one: tests and embedded mode have several.
        self._registry = CollectorRegistry()
        self._registry.register(_Ours(metrics))
        ProcessCollector(registry=self._registry)

    async def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        await self._metrics.look()
        return generate_latest(self._registry)


class _Ours(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        build = InfoMetricFamily("latchkey_build", "The version that runs here.")
        build.add_metric((), {"version": version("latchkey")})
        yield build
        for family in self._metrics.families:
            yield _RENDERERS[type(family)](family)


def _counter(family: Counted) -> Metric:
    rendered = CounterMetricFamily(family.name, family.words, labels=family.labels)
    for labels, count in family.counts.items():
        rendered.add_metric(labels, count)
    return rendered


def _histogram(family: Timed) -> Metric:
    rendered = HistogramMetricFamily(family.name, family.words, labels=family.labels)
    bounds = [*map(str, family.bounds), "+Inf"]
    for labels, tally in family.tallies.items():
        buckets = list(zip(bounds, accumulate(tally.counts), strict=True))
        rendered.add_metric(labels, buckets, tally.seconds)
    return rendered


def _gauge(family: Level) -> Metric:
    rendered = GaugeMetricFamily(family.name, family.words, labels=family.labels)
    for labels, value in family.values.items():
        rendered.add_metric(labels, value)
    return rendered


_RENDERERS: dict[type[Family], Callable[[Any], Metric]] = {
    Counted: _counter,
    Timed: _histogram,
    Level: _gauge,
}
