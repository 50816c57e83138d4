"""Names of requests in logs."""

import re

from shared.context import Numbering, SystemRandom

MANY = 20


def test_names_differ_within_a_process_and_between_two() -> None:
    """Each is one word that no reader takes for a number."""
    processes = [Numbering(SystemRandom()) for _ in range(MANY)]
    names = [each.name() for each in processes for _ in range(MANY)]

    assert MANY * MANY == len(set(names))
    assert all(re.fullmatch("[a-z][a-z0-9]{11}", name) for name in names)
