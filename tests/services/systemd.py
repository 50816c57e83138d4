"""Where the machine's systemd-analyze is."""

from pathlib import Path

from tests.services.system import ServiceMissing, find_program


def find_systemd_analyze() -> Path:
    """Find the program that checks units, or say how to get it."""
    found = find_program("systemd-analyze", [Path("/usr/bin")])
    if found is None:
        raise ServiceMissing("needs systemd-analyze: apt-get install systemd, or make services")
    return found
