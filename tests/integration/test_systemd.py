"""The units of deploy/systemd: systemd understands them, and they leave a process little but its work."""

import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "deploy/systemd"
COMMAND = "/usr/local/bin/latchkey"
MOST_EXPOSURE = 20
"""Tenths, of a hundred: what is left is what a service needs, such as to reach the network."""


@pytest.mark.parametrize("name", sorted(path.name for path in UNITS.glob("*.service")))
def test_unit_is_sound_and_confined(systemd_analyze: Path, tmp_path: Path, name: str) -> None:
    """No warning, and no sandbox forgotten."""
    text = (UNITS / name).read_text()
    unit = tmp_path / name.replace("@", "@8080")
    unit.write_text(text.replace(COMMAND, f"{Path(sys.executable).parent / 'latchkey'}"))
    verified, secured = (
        subprocess.run([systemd_analyze, *arguments], capture_output=True, text=True, check=False)
        for arguments in (
            ("verify", "--man=no", str(unit)),
            ("security", "--no-pager", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(unit)),
        )
    )

    assert COMMAND in text
    assert (0, "") == (verified.returncode, verified.stderr)
    assert 0 == secured.returncode, secured.stdout
