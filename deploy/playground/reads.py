"""The gateway's store with a window: a poll and a guarded call are one read each, and that can be seen."""

from collections.abc import Callable
from typing import cast

from shared.storage.base import ReadStore
from shared.storage.records import PollView, TokenView

Tell = Callable[[str, str], None]
"""Takes the id that was looked up, and the tables that were read."""


class WatchedReads:
    """A store that tells of the reads that answer Sonos; every other is passed on unseen."""

    def __init__(self, store: ReadStore, tell: Tell) -> None:
        self._store = store
        self._tell = tell

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def poll(self, link_id: str) -> PollView | None:
        """Read a link for a poll."""
        self._tell(link_id, "links, deliveries")
        return await self._store.poll(link_id)

    async def grant(self, grant_id: str) -> TokenView | None:
        """Read a grant for a guarded call."""
        self._tell(grant_id, "grants, accounts")
        return await self._store.grant(grant_id)

    async def delivery(self, delivery_id: str) -> bytes | None:
        """Read a sealed pair."""
        self._tell(delivery_id.partition(".")[0], "deliveries")
        return await self._store.delivery(delivery_id)


def watched(store: ReadStore, tell: Tell) -> ReadStore:
    """Return the store with a window."""
    return cast("ReadStore", WatchedReads(store, tell))
