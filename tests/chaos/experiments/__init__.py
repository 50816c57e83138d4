"""The experiments, by what they break; the numbers are those of the failure matrix."""

from tests.chaos.experiments import (
    answers,
    broker,
    clocks,
    crash_points,
    edge,
    identity,
    markup,
    postgres,
    processes,
    protocol,
    secrets,
)
from tests.chaos.experiments.base import table

__all__ = [
    "EXPERIMENTS",
    "answers",
    "broker",
    "clocks",
    "crash_points",
    "edge",
    "identity",
    "markup",
    "postgres",
    "processes",
    "protocol",
    "secrets",
]

EXPERIMENTS = table()
