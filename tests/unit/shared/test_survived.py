"""How often a process had a message before, and lived."""

import pytest

from shared.bus import delivery
from shared.bus.delivery import Survived


def test_what_was_survived_is_counted() -> None:
    """Until the message is done with; a reader that failed was not survived."""
    survived = Survived()
    counts = [survived.begin("a"), survived.begin("a"), survived.begin("b")]
    survived.die("a")
    counts.append(survived.begin("a"))
    survived.end("a")
    counts.append(survived.begin("a"))

    assert [0, 1, 0, 1, 0] == counts


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest makes room."""
    monkeypatch.setattr(delivery, "MOST_SURVIVED", 2)
    survived = Survived()
    for message_id in ("a", "b", "c"):
        survived.begin(message_id)

    assert (1, 0) == (survived.begin("c"), survived.begin("a"))
