"""Finds the browser for the tests of what a person sees."""

from pathlib import Path

from tests.services.system import ServiceMissing, find_program

HINT = "needs Chromium: `make services` as root installs it"

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> Path:
    """Return the Chromium of this machine."""
    for name in NAMES:
        if found := find_program(name, []):
            return found
    raise ServiceMissing(HINT)
