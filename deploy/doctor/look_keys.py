"""Looks at the key folder: which files are here, and whether their halves fit. No key leaves this module."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nacl.public import PrivateKey

from deploy.doctor.seen import KeyFacts, KeyFile, Unseen
from shared import keys
from shared.keys import (
    AuthWorkerKeys,
    GatewayKeys,
    KeysError,
    PublicKeys,
    Secret,
    SigningKey,
    TokenWorkerKeys,
)

_KeysT = TypeVar("_KeysT")


def look_at_keys(folder: Path) -> KeyFacts | Unseen:
    """Look at a key folder."""
    try:
        found = {name: folder / f"{name}.json" for name in keys.FILES if (folder / f"{name}.json").exists()}
        public = _read(folder, PublicKeys)
        return KeyFacts(
            folder=str(folder),
            folder_mode=folder.stat().st_mode & 0o777,
            files={name: _file(folder, name, path) for name, path in found.items()},
            unmatched=_unmatched(folder, public) if public else (),
            public_ids=frozenset(jwk.get("kid", "") for jwk in public.signing) if public else frozenset(),
        )
    except OSError as error:
        return Unseen(reason=f"{folder}: {error.strerror or type(error).__name__}", is_failure=True)


def _file(folder: Path, name: str, path: Path) -> KeyFile:
    about = path.stat()
    problem = ""
    try:
        keys.read(folder, keys.FILES[name])
    except KeysError as error:
        problem = str(error)
    return KeyFile(mode=about.st_mode & 0o777, written=int(about.st_mtime), problem=problem)


def _unmatched(folder: Path, public: PublicKeys) -> tuple[str, ...]:
    """Say which halves are missing. A box has to open what is sealed by now, and a signature to be verified by now: so it is the first of each that counts."""
    rows: tuple[tuple[str, type[Any], Callable[[Any], bool]], ...] = (
        (
            "gateway.json does not open what is sealed for gateways",
            GatewayKeys,
            lambda own: public.gateway_box[0].public in _opened(own.box),
        ),
        (
            "gateway.json vouches with a key that is not in public.json",
            GatewayKeys,
            lambda own: not own.content or _verifying(own.content[0]) in public.content,
        ),
        (
            "auth_worker.json does not open what is sealed for auth_worker",
            AuthWorkerKeys,
            lambda own: public.auth_worker_box[0].public in _opened(own.box),
        ),
        (
            "token_worker.json signs with a key that is not in public.json",
            TokenWorkerKeys,
            lambda own: _verifying(own.signing[0]) in public.signing,
        ),
    )
    return tuple(
        said for said, model, fits in rows if (own := _read(folder, model)) is not None and not fits(own)
    )


def _read(folder: Path, model: type[_KeysT]) -> _KeysT | None:
    """Return what is in a file; None if it is not here or cannot be used, which its own line says."""
    try:
        return keys.read(folder, model)
    except KeysError:
        return None


def _opened(box: tuple[Secret, ...]) -> set[bytes]:
    return {bytes(PrivateKey(each.secret).public_key) for each in box}


def _verifying(key: SigningKey) -> dict[str, str]:
    return {name: value for name, value in key.jwk.items() if name != "d"}
