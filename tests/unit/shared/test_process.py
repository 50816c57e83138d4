"""How a process begins."""

import subprocess
import sys

from tests.services.keeper import PROJECT

_PROGRAM = """
import gc
from shared.bootstrap import run_process

async def serve(settings, stop):
    print(gc.get_freeze_count())

run_process(
    serve,
    database_url="sqlite+aiosqlite:///nowhere",
    broker_url="memory://",
    public_url="https://link.example.com",
    keys_dir="nowhere",
)
"""


def test_what_a_process_begins_with_is_looked_through_no_more() -> None:
    """The objects of its modules hold nobody up when garbage is collected."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], cwd=PROJECT, env={}, capture_output=True, text=True, check=False
    )

    assert "" == done.stderr
    assert int(done.stdout) > 10_000
