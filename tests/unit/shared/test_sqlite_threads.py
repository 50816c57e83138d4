"""The threads of SQLite's connections end before the event loop that they answer to."""

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from shared.storage.engine import open_engine, prepare_file

_MOMENT = 0.05
"""Seconds for which SQLite is held up, longer than everything else that is left to do here."""


class Gate:
    """Holds up an SQLite connection that is being opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def factory(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """Open a connection, once that is allowed."""
        self.reached.set()
        self.opened.wait()
        return sqlite3.Connection(*arguments, **options)


@pytest.fixture
def unhandled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What threads ended with."""
    found: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: found.append(str(failure.exc_value)))
    return found


async def _cancelled_while_connecting(url: str, gate: Gate) -> None:
    async with open_engine(url, application_name="test") as engine:

        @event.listens_for(engine.sync_engine, "do_connect")
        def _hold(_dialect: object, _entry: object, _arguments: object, options: dict[str, Any]) -> None:
            options["factory"] = gate.factory

        connecting = asyncio.create_task(engine.connect().__aenter__())
        await asyncio.to_thread(gate.reached.wait)
        connecting.cancel()
        await asyncio.wait([connecting])
        asyncio.get_running_loop().call_later(_MOMENT, gate.opened.set)


def test_cancelled_connection_does_not_outlive_the_loop(tmp_path: Path, unhandled: list[str]) -> None:
    """A process that cannot start says why, and nothing of a loop that is closed."""
    url, gate = f"sqlite+aiosqlite:///{tmp_path}/latchkey.db", Gate()
    prepare_file(url)
    before = set(threading.enumerate())

    asyncio.run(_cancelled_while_connecting(url, gate))

    left = set(threading.enumerate()) - before
    gate.opened.set()
    for thread in left:
        thread.join()
    assert ([], set()) == (unhandled, left)
