"""What a private server needs from the machine: a user to run as, a folder, ports, a process and patience."""

import ctypes
import os
import pwd
import random
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict

# Below 32768, where the kernel takes ports for outgoing connections, and clear of 25672 and 35672-35682,
# which RabbitMQ and its command-line tools use by default.
PORTS = range(26000, 32000)

#: Far more than the servers of one run write (some 100 MB): others want memory, too.
PLENTY_OF_MEMORY = 4 * 2**30

#: How often a server that is starting or stopping is asked whether it is done.
POLL_SECONDS = 0.05


class ServiceMissing(Exception):
    """A server is not installed here; the message says in one line what is missing and how to get it."""


class ServiceFailed(Exception):
    """A server is installed and did not do what it was told; the message ends with its own last words."""


def service_user(name: str, hint: str) -> str | None:
    """Return the user a server must run as: *name* when we are root, which servers refuse, else ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(name)
    except KeyError:
        raise ServiceMissing(f"{hint} (there is no user {name}, and it does not run as root)") from None
    return name


def find_program(name: str, folders: list[Path]) -> Path | None:
    """Find *name* in one of *folders*, the first that has it, or else on the PATH."""
    for folder in folders:
        if os.access(folder / name, os.X_OK):
            return folder / name
    found = shutil.which(name)
    return Path(found) if found else None


def run_folder() -> Path:
    """Make the folder of one test run, in a place that a server's own user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="latchkey-", dir=_place()))
    folder.chmod(0o755)
    return folder


def _place() -> Path:
    """Choose memory over disk if there is plenty, which makes a database per test five times cheaper.

    Whoever sets TMPDIR wants it there.
    """
    memory = Path("/dev/shm")
    if "TMPDIR" not in os.environ and memory.is_dir() and shutil.disk_usage(memory).free > PLENTY_OF_MEMORY:
        return memory
    place = Path(tempfile.gettempdir()).resolve()
    everybody_may_pass = all(folder.stat().st_mode & stat.S_IXOTH for folder in (place, *place.parents))
    return place if everybody_may_pass else Path("/tmp")


def hand_over(folder: Path, user: str | None) -> None:
    """Give *folder* and everything in it to *user*."""
    if user is None:
        return
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def free_ports(count: int) -> list[int]:
    """Pick *count* ports that are free right now; whoever uses them tries again if that was not enough."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise ServiceFailed(f"no {count} free ports between {PORTS.start} and {PORTS.stop}")


def launch(
    command: list[str | Path], *, user: str | None, folder: Path, environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start *command* as *user*, in a session of its own so that Ctrl-C in a terminal does not reach it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **identity(user),
        )


class Identity(TypedDict, total=False):
    """The arguments with which `subprocess` runs something as another user."""

    user: str
    group: int
    extra_groups: list[str]


def identity(user: str | None) -> Identity:
    """Say how to run something as *user*, with that user's rights and no others."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def wait_until(
    ready: Callable[[], bool], *, process: subprocess.Popen[bytes], seconds: float, log: Path
) -> None:
    """Ask *ready* until it says yes; give up when the *process* has ended or after so many *seconds*."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise ServiceFailed(f"ended with status {process.returncode} while starting:\n{last_words(log)}")
        if time.monotonic() > deadline:
            raise ServiceFailed(f"not ready after {seconds:.0f} seconds:\n{last_words(log)}")
        time.sleep(POLL_SECONDS)


def last_words(log: Path) -> str:
    """Return the end of a *log*."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def adopt_orphans() -> None:
    """Become the parent of what our children leave behind (Linux), so that nothing outlives us unseen.

    A killed server leaves processes behind for a moment. Without this they would go to process 1, which in
    many containers never collects them.
    """
    if sys.platform == "linux":
        PR_SET_CHILD_SUBREAPER = 36  # noqa: N806 (prctl(2) spells it so)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def collect_orphans(seconds: float) -> None:
    """Wait until every process that was ever started from here has ended, but no longer than *seconds*.

    Only for the very end: it takes exit statuses away from anybody else who waits for one.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(POLL_SECONDS)
