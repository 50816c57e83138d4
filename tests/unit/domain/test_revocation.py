"""A revocation that comes late ends no link that was made since."""

from dataclasses import replace

import pytest

from shared.domain.revocation import Limits, is_meant
from tests.store_samples import GRANT

ENDED = replace(GRANT, family=3, family_started_at=1_000)


@pytest.mark.parametrize(
    ("limits", "meant"),
    [
        (Limits(), True),
        (Limits(family=2), False),
        (Limits(family=3), True),
        (Limits(family=4), True),
        (Limits(started_by=999), False),
        (Limits(started_by=1_000), True),
        (Limits(started_by=1_001), True),
        (Limits(family=3, started_by=999), False),
        (Limits(family=2, started_by=1_001), False),
        (Limits(family=0), False),
        (Limits(started_by=0), False),
    ],
)
def test_what_was_linked_later_stays(limits: Limits, *, meant: bool) -> None:
    """By family as by time, and either is enough."""
    assert meant == is_meant(ENDED, limits)
