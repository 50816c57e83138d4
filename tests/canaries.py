"""Looks for secrets wherever something of ours comes out: files, words, the memory of a process.

search = Canaries(secrets)
search.in_files(files(folder))
search.in_text("metrics", text)
search.in_memory("gateway", pid)
assert {} == search.found
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from shared import keys
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer

CHUNK = 8 << 20
"""Bytes of memory that are looked at together."""
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw")
"""Of a process's memory, what it can have written to."""


class Canaries:
    """A search for secrets, and what it found: where -> the names of the secrets."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._forms = {name: forms(secret) for name, secret in secrets.items()}
        self._longest = max(len(form) for each in self._forms.values() for form in each)
        self.found: dict[str, set[str]] = {}

    def in_bytes(self, where: str, content: bytes) -> None:
        """Search an output as it is."""
        if names := {name for name, each in self._forms.items() if any(form in content for form in each)}:
            self.found.setdefault(where, set()).update(names)

    def in_text(self, where: str, text: str) -> None:
        """Search what was said."""
        self.in_bytes(where, text.encode())

    def in_files(self, paths: Iterable[Path]) -> None:
        """Search files, byte by byte."""
        for path in paths:
            self.in_bytes(str(path), path.read_bytes())

    def in_memory(self, where: str, pid: int) -> None:
        """Search what a process has in memory, as a core dump would hold it."""
        for chunk in memory_of(pid, overlap=self._longest):
            self.in_bytes(where, chunk)


def memory_of(pid: int, *, overlap: int) -> Iterator[bytes]:
    """Return the memory of a running process piece by piece; each but a region's first begins with the end of the one before."""
    regions = _REGION.findall(Path(f"/proc/{pid}/maps").read_text())
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in ((int(start, 16), int(end, 16)) for start, end in regions):
            before = b""
            for place in range(start, end, CHUNK):
                try:
                    memory.seek(place)
                    piece = memory.read(min(CHUNK, end - place))
                except (OSError, OverflowError):
                    break  # the kernel's own, or given back meanwhile
                yield before + piece
                before = piece[-overlap:]


def forms(secret: bytes) -> tuple[bytes, ...]:
    """Return the ways in which a secret may be written: as it is, in hexadecimal, in both alphabets of base 64.

    In base 64 a secret inside a longer text, a PEM file for one, can start at any of three offsets; its whole groups look the same.
    """
    shifted = [secret[start : start + (len(secret) - start) // 3 * 3] for start in range(3)]
    encoded = (encode(part) for part in shifted for encode in (base64.b64encode, base64.urlsafe_b64encode))
    return (secret, secret.hex().encode(), *dict.fromkeys(encoded))


def key_material(folder: Path) -> dict[str, bytes]:
    """Return every secret of every key file."""
    gateway = keys.read(folder, keys.GatewayKeys)
    groups = {
        "link code key": gateway.link_code,
        "gateway box": gateway.box,
        "cookie key": gateway.cookie,
    }
    material = {name: key.secret for name, group in groups.items() for key in group}
    return material | _private("content key", gateway.content) | workers_key_material(folder)


def workers_key_material(folder: Path) -> dict[str, bytes]:
    """Return what a gateway must never hold: all that signs tokens, derives private keys, or opens what was sealed for auth_worker."""
    auth_worker = keys.read(folder, keys.AuthWorkerKeys)
    token_worker = keys.read(folder, keys.TokenWorkerKeys)
    groups = {"auth_worker box": auth_worker.box, "derivation key": token_worker.derivation}
    material = {name: key.secret for name, group in groups.items() for key in group}
    return material | _private("signing key", token_worker.signing)


def places(postgres: PostgresServer, rabbit: RabbitServer, logs: Path) -> Iterator[Path]:
    """Return every file that a thief might get, but for the key files themselves."""
    yield from files(postgres.data)
    yield from (place for place in (postgres.log,) if place)
    yield from files(rabbit.data)
    yield from files(rabbit.logs)
    yield from logs.glob("*.log")


def files(folder: Path | None) -> Iterator[Path]:
    """Return all files below a folder."""
    assert folder is not None
    return (path for path in folder.rglob("*") if path.is_file())


def _private(name: str, signing: Iterable[keys.SigningKey]) -> dict[str, bytes]:
    """Return the private half of Ed25519 keys, as bytes and as the text in which a JWK has it."""
    material = {}
    for number, key in enumerate(signing, 1):
        text = key.jwk["d"]
        material[f"{name} {number}"] = base64.urlsafe_b64decode(text + "=")
        material[f"{name} {number} as text"] = text.encode()
    return material
