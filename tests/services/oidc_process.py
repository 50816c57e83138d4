"""Runs identity providers that others have written; lives in the keeper's process (see `keeper`).

Two that know nothing of each other: panva's `oidc-provider` on node, which insists on PKCE and every other rule, and
`oidc-provider-mock` from PyPI, built on Authlib, which is lenient.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path

from tests.services.system import (
    ServiceMissing,
    find_program,
    free_ports,
    launch,
    wait_until,
)

PANVA = Path(__file__).parent / "panva"
NODE_HINT = "needs node 20 or later and npm for panva's oidc-provider: `make services` as root installs what the distribution has"


class _OidcProcess(ABC):
    """One provider: its port and its process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "provider.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def open(self) -> dict[str, str]:
        """Start the provider and say who it is."""
        self._folder.mkdir()
        self._log.touch()
        (self._port,) = free_ports(1)
        self.start()
        return {"issuer": f"http://127.0.0.1:{self._port}", "log": str(self._log)}

    def start(self) -> None:
        """Start it on its port, with nothing left of what it knew, and wait until it answers."""
        self._process = launch(
            self._command(), user=None, folder=self._folder, environment=self._environment(), log=self._log
        )
        wait_until(self._is_ready, process=self._process, seconds=60, log=self._log)

    def stop(self) -> None:
        """End it; it has nothing to lose."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None

    kill = stop

    def close(self) -> None:
        """End it and remove every trace."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_ready(self) -> bool:
        url = f"http://127.0.0.1:{self._port}/.well-known/openid-configuration"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _environment(self) -> dict[str, str]:
        return {}

    @abstractmethod
    def _command(self) -> list[str | Path]: ...


class PanvaProcess(_OidcProcess):
    """panva's `oidc-provider`, of the version that `panva/package.json` names."""

    def _command(self) -> list[str | Path]:
        node = find_program("node", [])
        if node is None or _major(node) < 20:
            raise ServiceMissing(NODE_HINT)
        return [node, PANVA / "provider.mjs", _installed(), str(self._port)]


class MockProcess(_OidcProcess):
    """`oidc-provider-mock`."""

    def _command(self) -> list[str | Path]:
        return [sys.executable, "-m", "oidc_provider_mock", "--port", str(self._port), "--user-claims", _ANN]

    def _environment(self) -> dict[str, str]:
        return {"AUTHLIB_INSECURE_TRANSPORT": "1"}


_ANN = json.dumps({"sub": "ann", "nickname": "ann of the mock", "plan": "silver"})


def _major(node: Path) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.removeprefix("v").split(".")[0])


def _installed() -> Path:
    """Return a folder with the packages, installed once for each set of versions and kept outside of the repository."""
    lock = (PANVA / "package-lock.json").read_text()
    version = json.loads(lock)["packages"]["node_modules/oidc-provider"]["version"]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "latchkey-tests" / f"oidc-provider-{version}"
    if folder.exists():
        return folder
    npm = find_program("npm", [])
    if npm is None:
        raise ServiceMissing(NODE_HINT)
    # Beside it first: another run may be doing the same.
    aside = folder.with_name(f"{folder.name}.{os.getpid()}")
    aside.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PANVA / name, aside / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=aside, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode == 0 and not folder.exists():
        aside.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
    if not folder.exists():
        raise ServiceMissing(
            f"needs oidc-provider {version} from npm, which did not install: {done.stderr[-300:]}"
        )
    return folder
