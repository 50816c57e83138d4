"""Has libFuzzer look for bytes that the two ways of reading an envelope take for different calls, or that either of them stumbles over.

    python -m tests.fuzz.parser [--seconds 60] [--seed 7]

Atheris runs the vocabulary's own code instrumented and follows what reaches new branches: other requests than `requests` makes. Whatever comes
is read as a call or refused with a fault, alike by the short way and the long one, by a shape that is new and by one that is known.
"""

import argparse
import secrets
import sys
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import atheris  # by constraints-hunt.txt, which `make fuzz` installs

with atheris.instrument_imports(include=["gateway.smapi"]):
    from gateway.smapi.envelope import Call, parse_call
    from gateway.smapi.faults import Fault
    from gateway.smapi.shapes import Shapes

from tests.fuzz.requests import shots

BEGINNINGS = 300
"""Requests of `requests` from which others are bred."""
Read = Callable[[bytes, str | None, str | None], Call]


def outcome(read: Read, body: bytes) -> object:
    """Return the call that was read, or kind and words of the fault."""
    try:
        return read(body, None, None)
    except Fault as fault:
        return type(fault), str(fault)


def look(data: bytes) -> None:
    """Read one request; anything but agreement is an error, which ends the run and leaves the bytes in a file."""
    shapes = Shapes(every=1)
    readings = [outcome(read, data) for read in (parse_call, shapes.parse_call, shapes.parse_call)]
    if readings[1:] != readings[:-1]:
        raise AssertionError(f"read in different ways: {readings}")


def main() -> None:
    """Look for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="how long to look")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="repeat a run")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="latchkey-fuzz-") as folder:
        for number, shot in enumerate(islice(shots(chosen.seed), BEGINNINGS)):
            (Path(folder) / str(number)).write_bytes(shot.body)
        options = {
            "max_total_time": chosen.seconds,
            "seed": chosen.seed or 1,
            "max_len": 4096,
            "verbosity": 0,
        }
        settings = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *settings, "-print_final_stats=1", folder], look)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
