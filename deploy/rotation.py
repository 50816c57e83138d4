"""New keys in the place of old ones, in three steps, so that nothing is refused while processes are restarted one by one.

    announce   new keys are made; everybody accepts them, nobody uses them
    use        the new keys are used, the old ones still accepted
    retire     the old keys are gone

After each step all processes are restarted, since they read their files at start. How far a folder is stands in `rotation.json` in it.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shared import keys
from shared.keys import KeysError, RandomBytes

StructT = TypeVar("StructT", bound=msgspec.Struct)

MARKER = "rotation.json"
"""The file in the key folder that says how far a rotation is."""


class Step(StrEnum):
    """What is done with the keys."""

    ANNOUNCE = "announce"
    USE = "use"
    RETIRE = "retire"


_AFTER: dict[Step | None, Step] = {None: Step.ANNOUNCE, Step.ANNOUNCE: Step.USE, Step.USE: Step.RETIRE}
"""The last step -> the one that comes next."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `rotation.json`."""

    step: Step
    at: int
    """When it was done, in seconds since the epoch."""
    new: frozenset[str]
    """Ids of the new keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retiring:
    """The keys of token_worker that go with the last step, and since when they are not used any more."""

    signing: str
    derivation: str
    since: int


def progress(folder: Path) -> Progress | None:
    """Return the last step; None where no rotation is under way.

    Raises:
        KeysError: the file is damaged.
    """
    path = folder / MARKER
    try:
        return msgspec.json.decode(path.read_bytes(), type=Progress)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as error:
        raise KeysError(f"{path}, which says how far the rotation is, cannot be read: {error}") from error


def check(step: Step, last: Progress | None) -> None:
    """Refuse a step that is not the next.

    Raises:
        KeysError: it is not; the message says which is.
    """
    due = _AFTER[last.step if last else None]
    if step is not due:
        done = f"the last step was {last.step.value}" if last else "no rotation is under way"
        raise KeysError(f"{done}: next is `latchkey keys rotate {due.value}`")


def retiring(folder: Path) -> Retiring:
    """Return what `retire` will take away.

    Raises:
        KeysError: that is not the next step, or a file cannot be read.
    """
    last = progress(folder)
    check(Step.RETIRE, last)
    assert last is not None  # or that would have been refused
    own = keys.read(folder, keys.TokenWorkerKeys)
    return Retiring(signing=key_id(own.signing[-1]), derivation=key_id(own.derivation[-1]), since=last.at)


def rotate(step: Step, folder: Path, *, random: RandomBytes, now: int) -> list[Path]:
    """Do a step in a folder that has the files of all roles, and return the files that were changed.

    Who is interrupted does the same step again.

    Raises:
        KeysError: not the next step, or a file is missing or damaged.
    """
    last = progress(folder)
    check(step, last)
    made = keys.create(random)
    new = (
        last.new
        if last
        else frozenset(key_id(key) for name in keys.FILES for key in _all(getattr(made, name)))
    )
    changed = keys.replace(folder, lambda name, own: _changed(own, getattr(made, name), step, new))
    marker = folder / MARKER
    if step is Step.RETIRE:
        marker.unlink()
    else:
        marker.write_bytes(msgspec.json.encode(Progress(step=step, at=now, new=new)))
    return changed


def key_id(key: Any) -> str:
    """Return the id of a key of any kind."""
    jwk = getattr(key, "jwk", key)
    return str(jwk["kid"] if isinstance(jwk, dict) else jwk.id)


def _changed(own: StructT, made: StructT, step: Step, new: frozenset[str]) -> StructT:
    """Return the content of a file after a step; each list of keys for itself."""

    def after(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> tuple[Any, ...]:
        if not ours:
            # Of an earlier version, which knew no such key; `keys complete` makes it.
            return ours
        if step is Step.ANNOUNCE:
            # The first is in use; what stands behind it was put there by a try that was interrupted.
            return (ours[0], theirs[0])
        fresh = tuple(key for key in ours if key_id(key) in new)
        return fresh if step is Step.RETIRE else (*fresh, *(key for key in ours if key not in fresh))

    return msgspec.structs.replace(
        own, **{name: after(getattr(own, name), getattr(made, name)) for name in own.__struct_fields__}
    )


def _all(content: msgspec.Struct) -> list[Any]:
    return [key for name in content.__struct_fields__ for key in getattr(content, name)]
