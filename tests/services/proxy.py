"""Where the machine's nginx is."""

from pathlib import Path

from tests.services.system import ServiceMissing, find_program


def find_nginx() -> Path:
    """Find nginx, or say how to get it."""
    found = find_program("nginx", [Path("/usr/sbin")])
    if found is None:
        raise ServiceMissing("needs nginx: apt-get install nginx-light, or make services")
    return found
