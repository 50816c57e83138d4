"""What the capacity page says follows from the results that are kept."""

import msgspec

from bench.capacity import PAGE, RESULTS, reckoned
from bench.figures import Results


def test_capacity_page_is_reckoned_from_the_results() -> None:
    """`python -m bench.capacity` would change nothing."""
    results = msgspec.json.decode(RESULTS.read_bytes(), type=Results)

    assert reckoned(PAGE.read_text(), results) == PAGE.read_text()
