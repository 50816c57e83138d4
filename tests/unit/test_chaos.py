"""`make chaos` is not run by the other checks; that it could be is looked at here."""

from tests.chaos.experiments import EXPERIMENTS


def test_every_experiment_can_be_found() -> None:
    """Thirty-six of them, each number once, and those that every change has to pass among them."""
    gate = {each.number for each in EXPERIMENTS.values() if each.gate}

    assert list(range(1, 37)) == [each.number for each in EXPERIMENTS.values()]
    assert {1, 3, 5, 7, 11, 12, 18, 20, 23, 24, 27, 28, 30} == gate
