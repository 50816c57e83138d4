"""Where the machine's promtool is."""

from pathlib import Path

from tests.services.system import ServiceMissing, find_program


def find_promtool() -> Path:
    """Find the program that checks rules and tries them, or say how to get it."""
    found = find_program("promtool", [])
    if found is None:
        raise ServiceMissing("needs promtool: apt-get install prometheus, or make services")
    return found
