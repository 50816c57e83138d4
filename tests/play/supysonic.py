"""Supysonic, a real server with the Subsonic API, as a process of its own. It knows no tokens: it is older than they are."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from tests.play.operator import PATIENCE
from tests.play.ports import free_port

_SERVE = "from supysonic.web import create_application; from werkzeug.serving import run_simple; import sys; run_simple('127.0.0.1', int(sys.argv[1]), create_application(), threaded=True)"
_CONFIG = """
[base]
database_uri = sqlite:///{folder}/supysonic.db

[webapp]
cache_dir = {folder}/cache
log_level = DEBUG
mount_webui = no

[daemon]
socket = {folder}/socket
"""


@contextmanager
def supysonic(folder: Path, **passwords: str) -> Iterator[str]:
    """Run a server with a user for each name, and return its address."""
    (folder / "supysonic.conf").write_text(_CONFIG.format(folder=folder))
    for name, password in passwords.items():
        command = [sys.executable, "-m", "supysonic.cli", "user", "add", name, "-p", password]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env={"HOME": str(folder)})
    port = free_port()
    with (folder / "supysonic.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(port)],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={"HOME": str(folder)},
        )
    try:
        asyncio.run(_ready(f"http://127.0.0.1:{port}", process))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(timeout=PATIENCE)


async def _ready(url: str, process: subprocess.Popen[bytes]) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(PATIENCE):
        while process.poll() is None:
            try:
                async with http.get(f"{url}/rest/ping.view"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise AssertionError(f"supysonic ended with {process.returncode}")
