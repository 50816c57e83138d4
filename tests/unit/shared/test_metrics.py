"""What is counted, and how Prometheus reads it."""

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared import metrics as module
from shared.exposition import Exposition
from shared.metrics import Metrics

Samples = dict[str, float]


def samples_of(text: str) -> Samples:
    """Return what Prometheus would store, by name and labels."""
    return {
        f"{sample.name}{{{','.join(f'{key}={value}' for key, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def samples(metrics: Metrics) -> Samples:
    return samples_of((await Exposition(metrics).text()).decode())


async def test_counters_count() -> None:
    """By labels, and by more than one."""
    metrics = Metrics()
    metrics.buried.add("auth.link")
    metrics.buried.add("auth.link", by=2)
    metrics.buried.add("auth.login")
    found = await samples(metrics)

    assert [3, 1] == [
        found[f"latchkey_dead_letters_total{{queue={queue}}}"] for queue in ("auth.link", "auth.login")
    ]


async def test_times_fall_into_buckets() -> None:
    """A bucket counts what took as long as its bound, and less; the last one counts everything."""
    metrics = Metrics()
    for age in (1, 2, 1000):
        metrics.link_ages.observe(age, "linked")
    found = await samples(metrics)
    buckets = [
        found[f"latchkey_link_age_seconds_bucket{{le={le},state=linked}}"]
        for le in ("1.0", "5.0", "600.0", "+Inf")
    ]

    assert [1, 2, 2, 3] == buckets
    assert (3, 1003) == (
        found["latchkey_link_age_seconds_count{state=linked}"],
        found["latchkey_link_age_seconds_sum{state=linked}"],
    )


async def test_levels_are_asked_for() -> None:
    """What stands still is looked at when somebody wants to know, and not told when it cannot be."""
    metrics = Metrics()
    depths = iter([7.0])

    async def look() -> None:
        metrics.waiting.forget("auth.link")
        for depth in depths:
            metrics.waiting.set(depth, "auth.link")
            return

    metrics.sources.append(look)
    first, second = await samples(metrics), await samples(metrics)

    assert 7 == first["latchkey_queue_messages{queue=auth.link}"]
    assert "latchkey_queue_messages{queue=auth.link}" not in second


async def test_what_does_not_answer_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that hangs costs its own lines, not all of them."""
    metrics, hanging = Metrics(), asyncio.Event()

    async def hang() -> None:
        await hanging.wait()

    metrics.sources.append(hang)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0)
    found = await samples(metrics)

    assert 1 == found["latchkey_build_info{version=0.1.0}"]


async def test_the_process_itself_is_told_of() -> None:
    """Memory, processor time and open files, as every Prometheus dashboard expects them."""
    found = await samples(Metrics())

    assert {"process_resident_memory_bytes{}", "process_cpu_seconds_total{}", "process_open_fds{}"} <= set(
        found
    )
