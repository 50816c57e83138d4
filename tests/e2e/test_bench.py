"""The benchmark runs: every part of it, on few households and for a moment. No time is judged here."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

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
