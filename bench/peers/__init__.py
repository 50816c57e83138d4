"""The peers: other people's authorization servers, installed from their registries, at the same kind of work beside the same floor.

Each runs as its documentation says, in one process on one core, with 32 connections that are kept. None of them speaks SMAPI; what is
compared is the same step: a device polls for a token that is still pending, and somebody asks whose a token is.

    oidc-provider           node       pending poll of a device code, in memory
    Authlib                 Flask      pending poll of a device code, in memory
    django-oauth-toolkit    Django     introspection of a token, on PostgreSQL
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from bench import stock
from bench.bed import Bed, wait_for_port
from bench.figures import Figure
from bench.rows import Pace, Row, Say, against_floor
from tests.play.ports import free_port

_HERE = Path(__file__).parent
_CACHE = Path.home() / ".cache" / "latchkey-bench"
_INSTALL_SECONDS = 240


class PeerMissing(Exception):
    """A peer could not be installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One of them."""

    name: str
    what: str
    install: Callable[[], None]
    command: Callable[[int, Path, str], list[str]]
    """Port, file for what it made, and a database -> what to run."""
    environment: dict[str, str]
    request: Callable[[str], bytes]
    """A code or a token that it made -> what is sent."""
    status: int
    holds: str


async def side_by_side(bed: Bed, pace: Pace, say: Say) -> tuple[list[Figure], dict[str, str]]:
    """Measure each peer that can be installed here; say why of the others."""
    found, failed = [], {}
    for peer in PEERS:
        say(f"installing {peer.name}")
        try:
            peer.install()
            with _running(bed, peer) as (port, made):
                row = Row(
                    name=f"peer_{peer.name}",
                    what=f"{peer.name}: {peer.what}",
                    requests=[peer.request(each) for each in made],
                    status=peer.status,
                    holds=peer.holds,
                    part=peer.name,
                )
                found += await against_floor(bed, [row], port, pace, say)
        except Exception as error:  # noqa: BLE001 - a peer that does not run here is told, and costs nothing else
            failed[peer.name] = f"{type(error).__name__}: {error}"
    return found, failed


@contextmanager
def _running(bed: Bed, peer: Peer) -> Iterator[tuple[int, list[str]]]:
    port, made = free_port(), bed.folder / f"{peer.name}.made"
    database = urlsplit(bed.postgres.empty_database())._replace(scheme="postgresql").geturl()
    command = peer.command(port, made, database)
    with bed.running(peer.name, command, **peer.environment) as process:
        wait_for_port(port, process)
        # A server may listen before it has made them, and a file is there before its content.
        while not made.exists() or not made.read_text().endswith("\n"):
            wait_for_port(port, process)
        yield port, made.read_text().split()


def _run(command: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
    )
    if done.returncode:
        raise PeerMissing((done.stderr or done.stdout).strip()[-300:])


def _install_node() -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise PeerMissing("there is no node with npm here")
    folder = _CACHE / "node"
    if not (folder / "node_modules" / "oidc-provider").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "oidc-provider@9"], folder)
    shutil.copyfile(_HERE / "oidc_provider.mjs", folder / "server.mjs")


def _install_python(name: str, *packages: str) -> None:
    folder = _CACHE / name
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *packages],
            folder,
        )
        (folder / "installed").touch()


def _gunicorn(application: str, *options: str) -> Callable[[int, Path, str], list[str]]:
    def command(port: int, made: Path, database: str) -> list[str]:
        # One process with eight threads: the only kind of worker it has that keeps connections.
        return [
            *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "8"),
            *(
                "--keep-alive",
                "75",
                "--graceful-timeout",
                "2",
                "--bind",
                f"127.0.0.1:{port}",
                "--log-level",
                "error",
            ),
            *("--env", f"BENCH_MADE={made}", "--env", f"BENCH_DATABASE={database}", *options, application),
        ]

    return command


def _form(path: str, fields: dict[str, str], **headers: str) -> bytes:
    content = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return stock.http("POST", path, content, urlencode(fields).encode())


_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

PEERS = (
    Peer(
        name="oidc-provider",
        what="pending poll of a device code, in memory",
        install=_install_node,
        command=lambda port, made, _: ["node", str(_CACHE / "node" / "server.mjs"), str(port), str(made)],
        environment={"NODE_ENV": "production"},
        request=lambda code: _form(
            "/token", {"grant_type": _DEVICE_CODE, "device_code": code, "client_id": "bench"}
        ),
        status=400,
        holds="authorization_pending",
    ),
    Peer(
        name="authlib",
        what="pending poll of a device code, in memory",
        install=lambda: _install_python("authlib", "Authlib", "Flask", "gunicorn"),
        command=_gunicorn("authlib_server:app"),
        environment={"PYTHONPATH": f"{_CACHE / 'authlib'}:{_HERE}", "AUTHLIB_INSECURE_TRANSPORT": "1"},
        request=lambda code: _form(
            "/token", {"grant_type": _DEVICE_CODE, "device_code": code, "client_id": "bench"}
        ),
        status=400,
        holds="authorization_pending",
    ),
    Peer(
        name="django-oauth-toolkit",
        what="introspection of a token, on PostgreSQL",
        install=lambda: _install_python("django", "django-oauth-toolkit", "psycopg[binary]", "gunicorn"),
        command=_gunicorn("django_server:app"),
        environment={"PYTHONPATH": f"{_CACHE / 'django'}:{_HERE}"},
        request=lambda token: _form(
            "/introspect",
            {"token": token.partition(":")[0]},
            Authorization=f"Bearer {token.partition(':')[2]}",
        ),
        status=200,
        holds='"active": true',
    ),
)
