"""Key files: one per role, so that each process holds only what it needs.

    gateway.json       MAC of link codes, box that opens deliveries, MAC of cookies
    auth_worker.json   box that opens login evidence
    token_worker.json  signing key, derivation secret
    public.json        the public halves, for everybody

Each key has an id; in each list the first key is used and the others are only accepted, which is what rotation needs.
"""

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

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


class GatewayKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway holds. None of it can mint a token."""

    link_code: OneOrMore
    box: OneOrMore
    cookie: OneOrMore


class AuthWorkerKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What auth_worker holds."""

    box: OneOrMore


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """An Ed25519 private key as a JWK."""

    jwk: Jwk

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.jwk['kid']!r})"


class TokenWorkerKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What token_worker holds, and nobody else."""

    signing: Annotated[tuple[SigningKey, ...], msgspec.Meta(min_length=1)]
    derivation: OneOrMore


class PublicKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The public halves: whom to seal for, and with what to verify."""

    gateway_box: Annotated[tuple[PublicBox, ...], msgspec.Meta(min_length=1)]
    auth_worker_box: Annotated[tuple[PublicBox, ...], msgspec.Meta(min_length=1)]
    signing: Annotated[tuple[Jwk, ...], msgspec.Meta(min_length=1)]


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
    signing: Jwk = {
        "kid": _key_id(random),
        "kty": "OKP",
        "crv": "Ed25519",
        **_ed25519(random(32)),
    }
    return KeySet(
        gateway=GatewayKeys(link_code=(_secret(random),), box=(gateway_box,), cookie=(_secret(random),)),
        auth_worker=AuthWorkerKeys(box=(auth_box,)),
        token_worker=TokenWorkerKeys(signing=(SigningKey(jwk=signing),), derivation=(_secret(random),)),
        public=PublicKeys(
            gateway_box=(_public(gateway_box),),
            auth_worker_box=(_public(auth_box),),
            signing=({name: value for name, value in signing.items() if name != "d"},),
        ),
    )


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
        mode = 0o644 if name == "public" else 0o600
        content = msgspec.json.format(msgspec.json.encode(getattr(keys, name)), indent=2)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content + b"\n")
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
    """Return the public signing keys as a JWK set (RFC 7517)."""
    return {"keys": [{**jwk, "use": "sig", "alg": "Ed25519"} for jwk in keys.signing]}


def _secret(random: RandomBytes) -> Secret:
    return Secret(id=_key_id(random), secret=random(32))


def _public(box: Secret) -> PublicBox:
    return PublicBox(id=box.id, public=bytes(PrivateKey(box.secret).public_key))


def _key_id(random: RandomBytes) -> str:
    return base64.b32encode(random(5)).decode().lower()[:4]


def _ed25519(seed: bytes) -> Jwk:
    public = bytes(Ed25519Key(seed).verify_key)
    return {"x": _base64url(public), "d": _base64url(seed)}


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
