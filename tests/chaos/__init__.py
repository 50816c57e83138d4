"""Breaks things on purpose: the whole system behind fault proxies, households that keep a ledger of their own, and a checker.

`python -m tests.chaos --list` shows the experiments; `cluster` is what is broken, `opening` puts it together, `households` who
notices, `ledger` what counts as lost, `experiments/` what is done to it, `report` what is told.
"""
