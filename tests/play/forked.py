"""Processes of ours that begin as copies of one that has imported everything already: a second of CPU less for each of hundreds.

What comes after that is the same as behind `python -m`: a process of its own with its own environment, folder, log, signals and end.
Whatever measures or breaks processes (chaos, soak, benchmark) starts Python itself, as a supervisor does.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, Any

_PRELOADED = (
    "tests.play.forked",
    "gateway.__main__",
    "auth_worker.__main__",
    "token_worker.__main__",
    "deploy.embedded",
)

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(_PRELOADED))


class Forked:
    """What `subprocess.Popen` is for a process that was started by an interpreter of its own, as far as it is needed."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        stdout: IO[bytes],
        stderr: IO[bytes],
        cwd: Path,
    ) -> None:
        """Take the command line of a Python, with `-m MODULE` or `-c CODE` behind it, and the rest as `Popen` does."""
        del stderr  # goes where stdout goes
        self._process = _CONTEXT.Process(
            target=_become, args=(tuple(command[1:]), dict(env), os.fspath(stdout.name), os.fspath(cwd))
        )
        self._process.start()
        assert self._process.pid is not None  # since it was started
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        wait([self._process.sentinel], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a crash does."""
        self.send_signal(signal.SIGKILL)


def _become(command: Sequence[str], environment: Mapping[str, str], log: str, folder: str) -> None:
    """Run what the command line says, as if Python had just been started with it."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c" if command[0] == "-c" else command[1], *command[2:]]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    how, what = command[:2]
    if how == "-m":
        # Imported before, to have all that it imports; it is run anew.
        sys.modules.pop(f"{what}.__main__")
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(what, names)
