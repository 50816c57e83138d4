"""Rotation of keys: after every step, whatever a process still makes with its old files is taken by those with the new, and the other way round."""

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from deploy import rotation
from deploy.rotation import Step, key_id
from shared import keys
from shared.context import SystemRandom
from shared.domain.token import TokenClaims
from shared.keys import KeysError
from shared.sealing import seal, unseal
from shared.tokens import TokenVerifier, sign

NOW = 1_800_000_000
CLAIMS = TokenClaims(
    issuer="link.example.com",
    service="default",
    account_id="a",
    grant_id="g",
    family=1,
    generation=1,
    issued_at=NOW,
    expires_at=NOW + 3600,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of all roles."""
    keys.write(keys.create(SystemRandom().token_bytes), tmp_path)
    return tmp_path


def step(folder: Path, which: Step) -> list[str]:
    changed = rotation.rotate(which, folder, random=SystemRandom().token_bytes, now=NOW)
    return [path.stem for path in changed]


def contents(folder: Path) -> dict[str, msgspec.Struct]:
    return {name: keys.read(folder, model) for name, model in keys.FILES.items()}


def ids(folder: Path) -> dict[str, list[str]]:
    return {
        f"{name}.{field}": [key_id(key) for key in getattr(content, field)]
        for name, content in contents(folder).items()
        for field in content.__struct_fields__
    }


def understood(maker: dict[str, msgspec.Struct], reader: dict[str, msgspec.Struct]) -> bool:
    """Tell whether tokens and boxes of processes with one set of files are taken by those with another."""
    token = sign(CLAIMS, maker["token_worker"].signing[0])  # type: ignore[attr-defined]
    verifier = TokenVerifier(reader["public"].signing, issuer=CLAIMS.issuer)  # type: ignore[attr-defined]
    box = seal(b"pair", recipient=maker["public"].gateway_box[0].public, bound_to="x")  # type: ignore[attr-defined]
    opened = unseal(box, private_keys=[key.secret for key in reader["gateway"].box], bound_to="x")  # type: ignore[attr-defined]
    return CLAIMS == verifier.genuine(token) and opened == b"pair"


def test_neighbours_in_the_order_of_steps_understand_each_other(folder: Path) -> None:
    """Processes are restarted one by one: those before and after a step run side by side."""
    stages = [contents(folder)]
    for which in Step:
        step(folder, which)
        stages.append(contents(folder))
    pairs = pairwise(stages)

    assert [(True, True)] * 3 == [(understood(old, new), understood(new, old)) for old, new in pairs]


def test_every_key_is_another_in_the_end(folder: Path) -> None:
    """One new key in each list, and none of the old."""
    before = ids(folder)
    for which in Step:
        step(folder, which)
    after = ids(folder)

    assert dict.fromkeys(before, 1) == {name: len(each) for name, each in after.items()}
    assert not {key for each in before.values() for key in each} & {
        key for each in after.values() for key in each
    }
    assert rotation.progress(folder) is None


def test_announced_keys_are_not_used(folder: Path) -> None:
    """They stand behind the others, until they stand in front."""
    before = ids(folder)
    step(folder, Step.ANNOUNCE)
    announced = ids(folder)
    step(folder, Step.USE)
    used = ids(folder)

    assert before == {name: each[:1] for name, each in announced.items()}
    assert announced == {name: each[::-1] for name, each in used.items()}


@pytest.mark.parametrize("which", [Step.ANNOUNCE, Step.USE])
def test_interrupted_step_is_done_again(folder: Path, which: Step) -> None:
    """Whoever is killed between two files, or before it is written how far things are."""
    for earlier in Step:
        if earlier is which:
            break
        step(folder, earlier)
    marker = folder / rotation.MARKER
    before = marker.read_bytes() if marker.exists() else None
    step(folder, which)
    marker.write_bytes(before) if before else marker.unlink()
    step(folder, which)
    step(folder, Step.USE if which is Step.ANNOUNCE else Step.RETIRE)

    assert {1 if which is Step.USE else 2} == {len(each) for each in ids(folder).values()}
    assert ids(folder)["token_worker.signing"] == ids(folder)["public.signing"]


@pytest.mark.parametrize("which", [Step.USE, Step.RETIRE])
def test_steps_are_not_skipped(folder: Path, which: Step) -> None:
    """The message names the next one; nothing is changed."""
    before = ids(folder)
    with pytest.raises(KeysError, match="next is `latchkey keys rotate announce`"):
        step(folder, which)

    assert before == ids(folder)


def test_files_keep_their_modes(folder: Path) -> None:
    """Only the public one may be read by others."""
    before = {path.name: path.stat().st_mode for path in folder.glob("*.json")}
    step(folder, Step.ANNOUNCE)

    assert before == {name: (folder / name).stat().st_mode for name in before}
