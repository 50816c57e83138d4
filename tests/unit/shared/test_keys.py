"""Key files: who gets what, and what happens when one is not as it should be."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from shared import keys
from shared.context import SystemRandom
from shared.keys import Jwk, KeysError, PublicKeys

RANDOM = SystemRandom().token_bytes


def test_each_role_reads_back_its_own_file(tmp_path: Path) -> None:
    """What was made is what is read, file by file."""
    made = keys.create(RANDOM)
    keys.write(made, tmp_path / "keys")

    assert {name: getattr(made, name) for name in keys.FILES} == {
        name: keys.read(tmp_path / "keys", model) for name, model in keys.FILES.items()
    }


def test_only_the_owner_may_read_secrets(tmp_path: Path) -> None:
    """Folder 0700, secret files 0600, the public one 0644."""
    paths = keys.write(keys.create(RANDOM), tmp_path / "keys")
    modes = {path.stem: stat.S_IMODE(path.stat().st_mode) for path in paths}

    assert {"gateway": 0o600, "auth_worker": 0o600, "token_worker": 0o600, "public": 0o644} == modes
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_existing_keys_are_never_overwritten(tmp_path: Path) -> None:
    """A second `keys create` into the same folder is refused and changes nothing."""
    keys.write(keys.create(RANDOM), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(KeysError, match="exists already"):
        keys.write(keys.create(RANDOM), tmp_path)

    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_secrets_of_a_role_are_in_no_other_file(tmp_path: Path) -> None:
    """No secret stands in two files, and none in the public one."""
    made = keys.create(RANDOM)
    secrets = {
        "gateway": [*made.gateway.link_code, *made.gateway.box, *made.gateway.cookie],
        "auth_worker": [*made.auth_worker.box],
        "token_worker": [*made.token_worker.derivation],
    }
    all_secrets = [key.secret for group in secrets.values() for key in group]

    assert len(set(all_secrets)) == len(all_secrets)
    assert made.gateway.content[0].jwk["d"] != made.token_worker.signing[0].jwk["d"]
    assert all("d" not in jwk for jwk in (*made.public.signing, *made.public.content))
    assert not {box.public for box in (*made.public.gateway_box, *made.public.auth_worker_box)} & set(
        all_secrets
    )


def test_repr_shows_no_secret() -> None:
    """Keys may end up in a log line by mistake; their secrets may not."""
    made = keys.create(RANDOM)
    signing = made.token_worker.signing[0]

    assert "***" in repr(made.gateway)
    assert repr(made.gateway.box[0].secret) not in repr(made)
    assert signing.jwk["d"] not in repr(made)
    assert made.gateway.content[0].jwk["d"] not in repr(made)


def test_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    """The error names the file and the command."""
    with pytest.raises(KeysError, match=r"gateway\.json.*latchkey keys create"):
        keys.read(tmp_path, keys.GatewayKeys)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"box": []}', '{"box": [{"id": "a", "secret": "c2hvcnQ="}]}']
)
def test_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    """A file that is cut, empty, or holds a key of the wrong size is named; its content is not repeated."""
    (tmp_path / "auth_worker.json").write_text(content)

    with pytest.raises(KeysError, match="damaged") as error:
        keys.read(tmp_path, keys.AuthWorkerKeys)

    assert "c2hvcnQ" not in str(error.value)


@pytest.mark.parametrize("jwks", [keys.jwks, keys.content_jwks])
def test_jwks_holds_public_halves_only(jwks: Callable[[PublicKeys], dict[str, list[Jwk]]]) -> None:
    """What content servers fetch verifies and cannot sign."""
    document = jwks(keys.create(RANDOM).public)

    assert [{"alg", "crv", "kid", "kty", "use", "x"}] == [set(jwk) for jwk in document["keys"]]


def as_made_before_the_front_door(folder: Path) -> None:
    """Write a key folder as the first version did."""
    keys.write(keys.create(RANDOM), folder)
    for path in (folder / "gateway.json", folder / "public.json"):
        content = json.loads(path.read_text())
        del content["content"]
        path.write_text(json.dumps(content))


def test_earlier_files_are_readable_and_completed(tmp_path: Path) -> None:
    """Key files of the first version keep all they have, and get what is new, once."""
    as_made_before_the_front_door(tmp_path)
    earlier = keys.read(tmp_path, keys.GatewayKeys), keys.read(tmp_path, PublicKeys)
    changed = keys.complete(RANDOM, tmp_path)
    gateway, public = keys.read(tmp_path, keys.GatewayKeys), keys.read(tmp_path, PublicKeys)

    assert ((), ()) == (earlier[0].content, earlier[1].content)
    assert {"gateway.json", "public.json"} == {path.name for path in changed}
    assert earlier == (
        msgspec.structs.replace(gateway, content=()),
        msgspec.structs.replace(public, content=()),
    )
    assert [gateway.content[0].jwk["kid"]] == [jwk["kid"] for jwk in public.content]
    assert [] == keys.complete(RANDOM, tmp_path)


def test_completed_files_keep_their_modes(tmp_path: Path) -> None:
    """Nobody can read more than before, and nothing is left lying beside."""
    as_made_before_the_front_door(tmp_path)
    (tmp_path / "gateway.json").chmod(0o400)
    keys.complete(RANDOM, tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert {
        "gateway.json": 0o400,
        "auth_worker.json": 0o600,
        "token_worker.json": 0o600,
        "public.json": 0o644,
    } == modes


def test_interrupted_completion_is_finished(tmp_path: Path) -> None:
    """A gateway's key whose public half was lost gets it again; the key stays."""
    keys.write(keys.create(RANDOM), tmp_path)
    gateway = keys.read(tmp_path, keys.GatewayKeys)
    public = json.loads((tmp_path / "public.json").read_text())
    (tmp_path / "public.json").write_text(json.dumps({**public, "content": []}))
    changed = keys.complete(RANDOM, tmp_path)

    assert ["public.json"] == [path.name for path in changed]
    assert gateway == keys.read(tmp_path, keys.GatewayKeys)
    assert public == json.loads((tmp_path / "public.json").read_text())
