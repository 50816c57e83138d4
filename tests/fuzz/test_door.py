"""Fifty thousand of them with every change; `python -m tests.fuzz --count 1000000` for the rest."""

import asyncio
import secrets
from itertools import islice

from tests.fuzz.__main__ import FLAT_MB, run
from tests.fuzz.requests import shots

COUNT = 50_000


def test_nothing_but_soap_comes_out() -> None:
    """Every request is answered with a result or a fault that SMAPI knows; memory stays, and no log tells of what came in."""
    seed = secrets.randbelow(2**32)
    print(f"python -m tests.fuzz --count {COUNT} --seed {seed}")

    score, canaries, grown_mb = asyncio.run(run(COUNT, seed))

    assert (COUNT, [], 0) == (score.total, score.wrong, canaries)
    assert grown_mb < FLAT_MB
    assert {"ok", "Client.MalformedRequest", "Client.NOT_LINKED_FAILURE"} <= score.outcomes.keys()


def test_seed_names_the_same_requests_for_ever() -> None:
    """What is found can be found again."""
    assert list(islice(shots(7), 200)) == list(islice(shots(7), 200))
