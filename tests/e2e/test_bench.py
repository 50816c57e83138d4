"""The benchmark runs: every part of it, on few households and for a moment. No time is judged here."""

import asyncio
import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

from bench import load
from tests.services.keeper import PROJECT

PARTS = ("hot", "flows", "footprint", "many", "herd")


@pytest.mark.gate
@pytest.mark.usefixtures("rabbit_server", "postgres_server")
async def test_short_run_measures_every_row(tmp_path: Path) -> None:
    """Each part gives its figures, all answers were right, and nothing was left out; peers need a registry and are not run."""
    only = [option for part in PARTS for option in ("--only", part)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--short", *only, "--output", str(tmp_path)),
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    results = json.loads((tmp_path / "results.json").read_text())
    found = {figure["name"]: figure for figure in results["figures"]}

    assert {
        *("poll_pending", "poll_linked", "poll_forged", "verify", "guarded", "refresh"),
        *("app_link", "app_link_busy"),
        *("refresh_even_p99", "approval_p99", "two_gateways", "two_workers", "memory_pending"),
        *("memory_embedded", "start", "many_poll_pending", "many_guarded", "many_refresh"),
        *("herd_seconds", "herd_p99", "herd_sent_away"),
    } == set(found)
    assert {} == results.get("failed", {})
    assert 0 == found["herd_sent_away"]["value"]
    assert all(figure["value"] > 0 for name, figure in found.items() if name != "herd_sent_away")
    assert all(row["what"] in (tmp_path / "results.md").read_text() for row in found.values())


async def test_answer_that_takes_longer_than_the_job_is_waited_for(tmp_path: Path) -> None:
    """A disk that stalls makes a short job slow; only a server that never answers has no figure."""
    seconds = 0.01

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(10 * seconds)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        job = load.Job(ports=[port], connections=1, seconds=seconds, once=True, expect="HTTP/1.1 200")
        (tmp_path / "job").write_bytes(msgspec.json.encode(job))
        load.write_requests(tmp_path / "requests", [b"GET / HTTP/1.1\r\n\r\n"])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.load", str(tmp_path / "job"), str(tmp_path / "requests")),
            cwd=PROJECT,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()

    measured = msgspec.json.decode(output, type=load.Measured)
    assert (1, 0) == (measured.requests, measured.wrong)
