"""Key files: one per role, so that each process holds only what it needs.

    gateway.json       MAC of link codes, box that opens deliveries, MAC of cookies, key that vouches to content servers
    auth_worker.json   box that opens login evidence
    token_worker.json  signing key, derivation secret
    public.json        the public halves, for everybody

Each key has an id; in each list the first key is used and the others are only accepted, which is what rotation needs.
"""

import base64
import json
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar

import msgspec
from nacl.public import PrivateKey
from nacl.signing import SigningKey as Ed25519Key

RandomBytes = Callable[[int], bytes]
ModelT = TypeVar("ModelT")


class KeysError(Exception):
    """A key file is missing or unreadable; the message says which, and the way out."""


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A symmetric key or a private key of 32 bytes."""

    id: str
    secret: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]

    def __repr__(self) -> str:
        return f"Secret(id={self.id!r}, secret=***)"


class PublicBox(msgspec.Struct, frozen=True, kw_only=True):
    """The public half of a box key, 32 bytes."""

    id: str
    public: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


Jwk = dict[str, str]
"""A key in the form of RFC 8037 (`kty` OKP, `crv` Ed25519) with a `kid`."""
OneOrMore = Annotated[tuple[Secret, ...], msgspec.Meta(min_length=1)]


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """An Ed25519 private key as a JWK."""

    jwk: Jwk

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.jwk['kid']!r})"


class GatewayKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway holds. None of it can mint a token that a gateway would take."""

    link_code: OneOrMore
    box: OneOrMore
    cookie: OneOrMore
    content: tuple[SigningKey, ...] = ()
    """Vouches to content servers for a caller; files made before there was a front door have none."""


class AuthWorkerKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What auth_worker holds."""

    box: OneOrMore


class TokenWorkerKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What token_worker holds, and nobody else."""

    signing: Annotated[tuple[SigningKey, ...], msgspec.Meta(min_length=1)]
    derivation: OneOrMore


class PublicKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The public halves: whom to seal for, and with what to verify."""

    gateway_box: Annotated[tuple[PublicBox, ...], msgspec.Meta(min_length=1)]
    auth_worker_box: Annotated[tuple[PublicBox, ...], msgspec.Meta(min_length=1)]
    signing: Annotated[tuple[Jwk, ...], msgspec.Meta(min_length=1)]
    content: tuple[Jwk, ...] = ()
    """What content servers verify with that a call came through a gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The content of a key folder, one value per file."""

    gateway: GatewayKeys
    auth_worker: AuthWorkerKeys
    token_worker: TokenWorkerKeys
    public: PublicKeys


FILES: dict[str, type[msgspec.Struct]] = {
    "gateway": GatewayKeys,
    "auth_worker": AuthWorkerKeys,
    "token_worker": TokenWorkerKeys,
    "public": PublicKeys,
}
"""File name without `.json` -> what is in it."""


def create(random: RandomBytes) -> KeySet:
    """Make a new set of keys."""
    gateway_box, auth_box = _secret(random), _secret(random)
    signing, content = _signing(random), _signing(random)
    return KeySet(
        gateway=GatewayKeys(
            link_code=(_secret(random),), box=(gateway_box,), cookie=(_secret(random),), content=(content,)
        ),
        auth_worker=AuthWorkerKeys(box=(auth_box,)),
        token_worker=TokenWorkerKeys(signing=(signing,), derivation=(_secret(random),)),
        public=PublicKeys(
            gateway_box=(_public(gateway_box),),
            auth_worker_box=(_public(auth_box),),
            signing=(_public_jwk(signing),),
            content=(_public_jwk(content),),
        ),
    )


def complete(random: RandomBytes, folder: Path) -> list[Path]:
    """Add the keys that the files of an earlier version lack, and return the files that were changed.

    What is there stays as it is. Each file is replaced whole; who is interrupted in between starts again.

    Raises:
        KeysError: a file is missing, not permitted or damaged.
    """
    gateway, public = read(folder, GatewayKeys), read(folder, PublicKeys)
    content = gateway.content or (_signing(random),)
    known = {jwk["kid"] for jwk in public.content}
    missing = tuple(_public_jwk(key) for key in content if key.jwk["kid"] not in known)
    # The public half comes first: nobody can use a key before others can verify with it.
    changed: dict[str, msgspec.Struct] = {}
    if missing:
        changed["public"] = msgspec.structs.replace(public, content=(*missing, *public.content))
    if not gateway.content:
        changed["gateway"] = msgspec.structs.replace(gateway, content=content)
    return [_replace(folder / f"{name}.json", keys) for name, keys in changed.items()]


def replace(folder: Path, change: Callable[[str, Any], msgspec.Struct]) -> list[Path]:
    """Put new content in the place of all files of a folder, and return those that were changed.

    Each file is replaced whole, the public one first: nobody can use a key before others can verify with it.

    Args:
        change: from a file's name in `FILES`, and what is in it, to what shall be.

    Raises:
        KeysError: a file is missing, not permitted or damaged; nothing was changed.
    """
    before = {name: read(folder, model) for name, model in reversed(FILES.items())}
    after = {name: change(name, content) for name, content in before.items()}
    return [
        _replace(folder / f"{name}.json", content)
        for name, content in after.items()
        if content != before[name]
    ]


def write(keys: KeySet, folder: Path) -> list[Path]:
    """Write a new key folder (mode 0700) of files (0600, the public one 0644); never over an existing file.

    Raises:
        KeysError: a file exists already.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.json" for name in FILES}
    if existing := [str(path) for path in paths.values() if path.exists()]:
        raise KeysError(f"{', '.join(existing)} exists already; move it away or name another folder")
    for name, path in paths.items():
        with _create(path, 0o644 if name == "public" else 0o600) as file:
            file.write(_content(getattr(keys, name)))
    return list(paths.values())


def read(folder: Path, model: type[ModelT]) -> ModelT:
    """Read the file of one role.

    Raises:
        KeysError: missing, not permitted, or not what it should be; the content never appears in the message.
    """
    name = next(name for name, kind in FILES.items() if kind is model)
    path = folder / f"{name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=model)
    except FileNotFoundError as error:
        raise KeysError(f"no key file {path}; make one with `latchkey keys create {folder}`") from error
    except PermissionError as error:
        raise KeysError(f"{path} is not readable for this user; give it to the service's user") from error
    except (msgspec.MsgspecError, json.JSONDecodeError) as error:
        raise KeysError(f"{path} is damaged: {error}; restore it from your backup") from error


def jwks(keys: PublicKeys) -> dict[str, list[Jwk]]:
    """Return the public signing keys of authTokens as a JWK set (RFC 7517)."""
    return _jwk_set(keys.signing)


def content_jwks(keys: PublicKeys) -> dict[str, list[Jwk]]:
    """Return what content servers verify a gateway's word with, as a JWK set of its own."""
    return _jwk_set(keys.content)


def _jwk_set(jwks: Iterable[Jwk]) -> dict[str, list[Jwk]]:
    return {"keys": [{**jwk, "use": "sig", "alg": "Ed25519"} for jwk in jwks]}


def _create(path: Path, mode: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def _replace(path: Path, keys: msgspec.Struct) -> Path:
    """Put new content in the place of a file, with the same owner and mode."""
    before = path.stat()
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with _create(aside, 0o600) as file:
        file.write(_content(keys))
        os.fchown(file.fileno(), before.st_uid, before.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
        file.flush()
        os.fsync(file.fileno())
    return aside.replace(path)


def _content(keys: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n"


def _secret(random: RandomBytes) -> Secret:
    return Secret(id=_key_id(random), secret=random(32))


def _public(box: Secret) -> PublicBox:
    return PublicBox(id=box.id, public=bytes(PrivateKey(box.secret).public_key))


def _key_id(random: RandomBytes) -> str:
    return base64.b32encode(random(5)).decode().lower()[:4]


def _signing(random: RandomBytes) -> SigningKey:
    return SigningKey(jwk={"kid": _key_id(random), "kty": "OKP", "crv": "Ed25519", **_ed25519(random(32))})


def _public_jwk(key: SigningKey) -> Jwk:
    return {name: value for name, value in key.jwk.items() if name != "d"}


def _ed25519(seed: bytes) -> Jwk:
    public = bytes(Ed25519Key(seed).verify_key)
    return {"x": _base64url(public), "d": _base64url(seed)}


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
