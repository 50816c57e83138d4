"""How long a new typed code has to be: by the number of live ones, which is read every few seconds."""

import structlog

from shared.context import Clock
from shared.domain import typed_code
from shared.storage.base import ReadStore, StoreUnavailable

FRESH_SECONDS = 2.0
"""How long a count is good for; what this gateway issues meanwhile is added to it."""

log = structlog.get_logger(__name__)


class LiveCodes:
    """What this gateway knows of the number of live codes."""

    def __init__(self) -> None:
        self._counted = 0
        self._counted_at: float | None = None

    async def next_length(self, store: ReadStore, clock: Clock) -> int:
        """Return the length of the next code, and count it; the longest when the database does not tell."""
        now = clock.monotonic()
        if self._counted_at is None or now - self._counted_at >= FRESH_SECONDS:
            try:
                self._counted = await store.live_codes(typed_code.MOST_COUNTED)
            except StoreUnavailable as error:
                log.info("live codes not counted", reason=str(error))
                return typed_code.LENGTHS[-1]
            self._counted_at = now
        length = typed_code.length_for(self._counted)
        self._counted += 1
        return length
