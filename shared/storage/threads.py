"""The threads of SQLite's connections, which answer to the event loop and so must not outlive it."""

import asyncio
from threading import Thread
from typing import Any
from weakref import WeakSet

import aiosqlite


class ConnectionThreads:
    """Opens connections, and waits in the end for the thread of each.

    aiosqlite and SQLAlchemy tell the thread of a connection to stop when its user is cancelled, and do not wait for it. What it
    answers to a loop that is closed by then ends as a traceback in the log (aiosqlite issues 241 and 259).
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._threads: WeakSet[Thread] = WeakSet()

    def connect(self, *arguments: Any, **options: Any) -> aiosqlite.Connection:
        """Return a connection that opens when it is awaited; SQLAlchemy's `async_creator_fn`."""
        connection = aiosqlite.connect(*arguments, **options)
        thread = connection._thread  # noqa: SLF001 - aiosqlite has no other way to it (issue 387), and SQLAlchemy takes this one
        # A process that is told to end does not wait for a statement.
        thread.daemon = True
        self._threads.add(thread)
        return connection

    async def join(self, *, seconds: float) -> None:
        """Return when all have ended, or did not within *seconds*."""
        alive = [thread for thread in self._threads if thread.is_alive()]
        await asyncio.gather(*(asyncio.to_thread(thread.join, seconds) for thread in alive))
