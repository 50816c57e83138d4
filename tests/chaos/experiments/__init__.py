"""The experiments, by what they break; the numbers are those of the failure matrix."""

from tests.chaos.experiments import broker, crash_points, edge, postgres, processes, protocol
from tests.chaos.experiments.base import table

__all__ = ["EXPERIMENTS", "broker", "crash_points", "edge", "postgres", "processes", "protocol"]

EXPERIMENTS = table()
