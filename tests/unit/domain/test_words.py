"""Numbers and times as they are told to people."""

import time

import pytest

from shared.domain import words


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 times"), (1, "1 time"), (2, "2 times"), (14, "14 times")]
)
def test_one_is_not_many(number: int, said: str) -> None:
    """English has one plural."""
    assert said == words.counted(number, "time")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (1, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (119, "1 min 59 s"),
        (120, "2 min"),
        (3_605, "60 min 5 s"),
    ],
)
def test_durations(seconds: int, said: str) -> None:
    """Minutes and seconds, and no zeros behind a number; nothing lasts less than nothing."""
    assert said == words.spelt(seconds)


def test_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a beginning, and in UTC wherever the machine stands."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert "+1 min 5 s" == words.after(1_065, 1_000)
    assert "2026-11-26 05:20:12Z" == words.moment(1_795_670_412)
    monkeypatch.undo()
    time.tzset()
