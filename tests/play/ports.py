"""Ports for what a test starts in a moment, which until then nobody else takes.

A port that is merely free is taken again by whoever asks next: another worker of the test run, or the kernel, for any connection
that goes out.
"""

import socket
import sys
from collections.abc import Iterator
from itertools import cycle
from random import SystemRandom

FIRST, LAST = 10_000, 26_000
"""Below the servers of a test run (`tests.services.system`), and far below what the kernel takes for outgoing connections."""
BLOCK = 100
"""Ports that a process has for itself. It begins anew after them: what they were for has ended, or has them still."""


def free_port() -> int:
    """Return a port that nobody listens at, and that nobody else is given."""
    return next(_PORTS)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # What a server of ours does: the connections of the last one at this port hold up nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_ports() -> Iterator[int]:
    for port in cycle(_own_block()):
        if _is_free(port):
            yield port


def _own_block() -> range:
    """Return ports that are this process's own until it ends."""
    firsts = range(FIRST, LAST, BLOCK)
    for first in SystemRandom().sample(firsts, len(firsts)):
        if _is_ours(first):
            return range(first, first + BLOCK)
    raise AssertionError(f"no ports left between {FIRST} and {LAST}")


def _is_ours(first: int) -> bool:
    """Tell whether nobody had these ports; we have them then. Of names like this the kernel keeps each for one socket (Linux)."""
    if sys.platform != "linux":
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0latchkey-test-ports-{first}")
    except OSError:
        claim.close()
        return False
    # Kept open until the process ends.
    claim.detach()
    return True


_PORTS = _free_ports()
