"""The command's small errands: each error says what is wrong and the way out."""

import asyncio
import json
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from auth_worker.__main__ import open_context
from deploy import embedded
from deploy.cli import main
from shared import bootstrap
from shared.boxes import LoginEvidence
from shared.domain.errors import SignInRefused
from shared.settings import Settings, load


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An embedded installation that was started once."""
    embedded.prepare(settings_of(tmp_path / "data"))
    return tmp_path / "data"


def settings_of(data: Path) -> Settings:
    return load(**embedded.settings_for(data, listen="127.0.0.1:1", public_url=None))


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=text)


def can_sign_in(data: Path, name: str, password: str) -> bool:
    async def attempt() -> bool:
        settings = settings_of(data)
        async with bootstrap.open_bus(settings) as bus, open_context(settings, bus) as context:
            evidence = LoginEvidence(name=name, password=password)
            try:
                await context.providers["local"].authenticate(evidence, service="default")
            except SignInRefused:
                return False
            return True

    return asyncio.run(attempt())


def test_password_is_set_anew(data: Path) -> None:
    """The new one opens and the old one does not; the account is the same, and one that there is not is told."""
    run("accounts", "add", "Ann", "--password-stdin", "--data", str(data), text="correct horse\n")
    before = json.loads(run("accounts", "export", "ann", "--data", str(data)).output)
    changed = run(
        "accounts", "password", "ANN", "--password-stdin", "--data", str(data), text="battery staple\n"
    )
    after = json.loads(run("accounts", "export", "ann", "--data", str(data)).output)
    short = run("accounts", "password", "ann", "--password-stdin", "--data", str(data), text="short\n")
    nobody = run(
        "accounts", "password", "bob", "--password-stdin", "--data", str(data), text="battery staple\n"
    )

    assert (0, "ANN has another password\n") == (changed.exit_code, changed.output)
    assert [False, True] == [can_sign_in(data, "ann", word) for word in ("correct horse", "battery staple")]
    assert before["account"] == after["account"]
    assert "Ann" in run("accounts", "list", "--data", str(data)).output
    assert [(2, True), (2, True)] == [
        (short.exit_code, "8 to 1024 characters" in short.output),
        (nobody.exit_code, "no account 'bob'" in nobody.output),
    ]


def test_added_account_can_sign_in(data: Path) -> None:
    """By its name in any case, with its password and no other."""
    added = run("accounts", "add", "Ann", "--password-stdin", "--data", str(data), text="correct horse\n")
    listing = run("accounts", "list", "--data", str(data))

    assert (0, "added Ann\n") == (added.exit_code, added.output)
    assert "Ann" in listing.output
    assert [True, True, False] == [
        can_sign_in(data, "ann", "correct horse"),
        can_sign_in(data, " ANN ", "correct horse"),
        can_sign_in(data, "ann", "correct horse "),
    ]


@pytest.mark.parametrize(
    ("arguments", "text", "complaint"),
    [
        (("ann", "--password-stdin"), "short\n", "a password has 8 to 1024 characters"),
        (("", "--password-stdin"), "long enough\n", "a name has 1 to 128 characters"),
        (
            ("ann", "--password-stdin", "--service", "other"),
            "long enough\n",
            "no service 'other'; there is default",
        ),
    ],
)
def test_account_that_cannot_be_added(
    data: Path, arguments: tuple[str, ...], text: str, complaint: str
) -> None:
    """Exit status 2, and why."""
    result = run("accounts", "add", *arguments, "--data", str(data), text=text)

    assert 2 == result.exit_code
    assert complaint in result.output


def test_name_is_taken_once(data: Path) -> None:
    """The second of the same name is refused, whatever its case, and changes nothing."""
    run("accounts", "add", "ann", "--password-stdin", "--data", str(data), text="first password\n")
    second = run("accounts", "add", "ANN", "--password-stdin", "--data", str(data), text="second password\n")

    assert 2 == second.exit_code
    assert can_sign_in(data, "ann", "first password")


def test_folder_without_an_installation(tmp_path: Path) -> None:
    """The message names the command that makes one."""
    result = run("accounts", "list", "--data", str(tmp_path / "nowhere"))

    assert 2 == result.exit_code
    assert "latchkey up --data" in result.output


def test_missing_settings_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any settings, everything that is needed is named at once."""
    result = run("migrate")

    assert 2 == result.exit_code
    assert all(name in result.output for name in ("LATCHKEY_DATABASE_URL", "LATCHKEY_BROKER_URL"))


def test_keys_are_made_once(tmp_path: Path) -> None:
    """A second time is refused."""
    first, second = (run("keys", "create", str(tmp_path / "keys")) for _ in range(2))

    assert (0, 2) == (first.exit_code, second.exit_code)
    assert "exists already" in second.output


def test_keys_are_completed(tmp_path: Path) -> None:
    """Only what is missing is made, and said."""
    folder = tmp_path / "keys"
    run("keys", "create", str(folder))
    nothing = run("keys", "complete", str(folder))
    public = json.loads((folder / "public.json").read_text())
    (folder / "public.json").write_text(json.dumps({**public, "content": []}))
    completed = run("keys", "complete", str(folder))

    assert (0, "nothing is missing\n") == (nothing.exit_code, nothing.output)
    assert (0, f"completed {folder / 'public.json'}\n") == (completed.exit_code, completed.output)


def test_shown_settings_hide_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, variables and values, without what opens anything."""
    monkeypatch.setenv("COLUMNS", "200")
    for name, value in {
        "DATABASE_URL": "postgresql+asyncpg://u:canary-password@db/x",
        "BROKER_URL": "amqp://u:canary-password@b",
        "KEYS_DIR": "/keys",
        "PUBLIC_URL": "https://link.example.com",
    }.items():
        monkeypatch.setenv(f"LATCHKEY_{name}", value)
    result = run("config", "show")

    assert "https://link.example.com" in result.output
    assert "canary-password" not in result.output


def test_disabled_account_is_disabled_until_enabled(data: Path) -> None:
    """Also one that has never signed in; unknown names are told so."""
    run("accounts", "add", "Ann", "--password-stdin", "--data", str(data), text="correct horse\n")
    results = [run("accounts", verb, "ANN", "--data", str(data)) for verb in ("disable", "disable", "enable")]
    unknown = run("accounts", "disable", "bob", "--data", str(data))

    assert ["disabled ANN; revoked 0 grants\n"] * 2 + ["enabled ANN\n"] == [each.output for each in results]
    assert 2 == unknown.exit_code
    assert "no account 'bob'" in unknown.output


@pytest.mark.parametrize("options", [(), ("--grant", "a", "--all"), ("--account", "a", "--household", "b")])
def test_which_grants_is_said_once(data: Path, options: tuple[str, ...]) -> None:
    """Neither nothing nor two things."""
    result = run("grants", "revoke", *options, "--data", str(data))

    assert 2 == result.exit_code
    assert "one of --grant, --account, --household, --all" in result.output


def test_all_is_asked_about(data: Path) -> None:
    """Whoever says no changes nothing; --yes does not ask."""
    asked = run("grants", "revoke", "--all", "--data", str(data), text="n\n")
    unasked = run("grants", "revoke", "--all", "--yes", "--data", str(data))

    assert (1, True) == (asked.exit_code, "will have to link again" in asked.output)
    assert (0, "revoked 0 grants\n") == (unasked.exit_code, unasked.output)


def test_grants_are_listed(data: Path) -> None:
    """An empty list has its headings."""
    result = run("grants", "list", "--all", "--data", str(data))

    assert 0 == result.exit_code
    assert "Household" in result.output


@pytest.mark.parametrize("arguments", [("replay",), ("replay", "abc", "--all")])
def test_which_dead_letters_is_said_once(arguments: tuple[str, ...]) -> None:
    """Neither nothing nor two things."""
    result = run("dead", *arguments)

    assert 2 == result.exit_code
    assert "`latchkey dead list`, or --all" in result.output


def test_embedded_installation_is_told_its_public_address(data: Path, tmp_path: Path) -> None:
    """What Sonos is given has the address that people reach, not the one where the process listens."""
    told = ("--public-url", "https://link.example.com")
    result = run("sonos", "export", str(tmp_path / "sonos"), "--data", str(data), *told)

    assert 0 == result.exit_code
    assert "`https://link.example.com/smapi`" in (tmp_path / "sonos" / "checklist.md").read_text()


def test_dead_letters_of_an_embedded_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are inside the process; the message says where else to look."""
    for name, value in embedded.settings_for(tmp_path, listen="127.0.0.1:1", public_url=None).items():
        monkeypatch.setenv(f"LATCHKEY_{name.upper()}", str(value))
    result = run("dead", "list")

    assert 2 == result.exit_code
    assert "message buried" in result.output


def test_backup_is_private_whole_and_comes_back(data: Path, tmp_path: Path) -> None:
    """Nobody else may read it, nothing but it is left behind, and its accounts sign in where it was restored."""
    run("accounts", "add", "ann", "--password-stdin", "--data", str(data), text="correct horse\n")
    file = tmp_path / "backups" / "a.backup"
    file.parent.mkdir()
    taken = run("backup", str(file), "--data", str(data))
    restored = run("restore", str(file), "--data", str(tmp_path / "new"))

    assert [0, 0] == [taken.exit_code, restored.exit_code], taken.output + restored.output
    assert ([file], 0o600) == (list(file.parent.iterdir()), file.stat().st_mode & 0o777)
    assert {"keys", "latchkey.db"} == {path.name for path in (tmp_path / "new").iterdir()}
    assert can_sign_in(tmp_path / "new", "ann", "correct horse")


def test_backup_and_restore_overwrite_nothing(data: Path, tmp_path: Path) -> None:
    """Neither a file nor an installation."""
    file = tmp_path / "a.backup"
    results = [
        run("backup", str(file), "--data", str(data)),
        run("backup", str(file), "--data", str(data)),
        run("restore", str(file), "--data", str(data)),
        run("backup", str(tmp_path / "no" / "a.backup"), "--data", str(data)),
    ]

    assert [0, 2, 2, 2] == [result.exit_code for result in results]
    assert ["exists already", "is not empty", "there is no folder"] == [
        words
        for words, result in zip(
            ("exists already", "is not empty", "there is no folder"), results[1:], strict=True
        )
        if words in result.output
    ]


@pytest.mark.parametrize("cut", [0, 100, -100])
def test_damaged_backup_is_refused(data: Path, tmp_path: Path, cut: int) -> None:
    """A file that is empty or ends too soon makes no installation."""
    file = tmp_path / "a.backup"
    run("backup", str(file), "--data", str(data))
    file.write_bytes(file.read_bytes()[:cut])
    result = run("restore", str(file), "--data", str(tmp_path / "new"))

    assert 2 == result.exit_code
    assert "cannot be read as a backup" in result.output
    assert [] == list((tmp_path / "new").iterdir())


def test_what_else_is_in_an_archive_stays_there(data: Path, tmp_path: Path) -> None:
    """A name that leads out of the folder is not followed; a backup that lacks something is none."""
    file, other = tmp_path / "a.backup", tmp_path / "b.backup"
    run("backup", str(file), "--data", str(data))
    with tarfile.open(file) as backup, tarfile.open(other, "w:gz") as archive:
        for member in backup:
            name = "../escaped" if member.name == "keys/gateway.json" else member.name
            archive.addfile(member.replace(name=name), backup.extractfile(member))
    result = run("restore", str(other), "--data", str(tmp_path / "new"))

    assert 2 == result.exit_code
    assert "keys/gateway.json" in result.output
    assert not (tmp_path / "escaped").exists()


def test_backup_of_postgres_names_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own tool copies it."""
    run("keys", "create", str(tmp_path / "keys"))
    for name, value in {
        "DATABASE_URL": "postgresql+asyncpg://db/x",
        "BROKER_URL": "amqp://b",
        "KEYS_DIR": str(tmp_path / "keys"),
        "PUBLIC_URL": "https://link.example.com",
    }.items():
        monkeypatch.setenv(f"LATCHKEY_{name}", value)
    result = run("backup", str(tmp_path / "a.backup"))

    assert 2 == result.exit_code
    assert "pg_dump" in result.output


@pytest.mark.parametrize("verb", ["export", "erase"])
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "say whose"),
        (("ann", "--account", "abc"), "say whose"),
        (("bob",), "no account 'bob'"),
        (("--account", "abc"), "no account 'abc'"),
    ],
)
def test_account_that_is_not_there(data: Path, verb: str, arguments: tuple[str, ...], complaint: str) -> None:
    """Nothing is given out, and nothing erased."""
    confirmed = ["--yes"] if verb == "erase" else []
    result = run("accounts", verb, *arguments, *confirmed, "--data", str(data))

    assert 2 == result.exit_code
    assert complaint in result.output


def test_erasing_is_asked_about(data: Path) -> None:
    """Whoever says no keeps the account; who says yes has it erased, also one that never signed in."""
    run("accounts", "add", "ann", "--password-stdin", "--data", str(data), text="correct horse\n")
    kept = run("accounts", "erase", "ann", "--data", str(data), text="n\n")
    erased = run("accounts", "erase", "ann", "--data", str(data), text="y\n")
    listing = run("accounts", "list", "--data", str(data))

    assert [1, 0] == [kept.exit_code, erased.exit_code]
    assert "ann" not in listing.output
