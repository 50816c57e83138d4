"""Measurements: run by hand, since a test that looks at a clock fails on a busy machine. `python -m tests.measure.NAME`."""
