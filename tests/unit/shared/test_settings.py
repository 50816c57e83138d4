"""Settings: every problem at once, each with its name and a way out; unknown names refused."""

import re
from pathlib import Path

import pytest

from shared import settings
from shared.settings import SettingsError

GOOD = {
    "LATCHKEY_DATABASE_URL": "postgresql+asyncpg://user:canary-password@db/latchkey",
    "LATCHKEY_BROKER_URL": "amqp://user:canary-password@broker",
    "LATCHKEY_KEYS_DIR": "/etc/latchkey/keys",
    "LATCHKEY_PUBLIC_URL": "https://link.example.com",
}

WEBHOOK_SECRET = "whsec_" + "YWJj" * 8


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def problems_of(environment: pytest.MonkeyPatch, **names: str) -> list[str]:
    for name, value in names.items():
        environment.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        settings.load()
    return error.value.problems


def test_four_values_are_enough(environment: pytest.MonkeyPatch) -> None:
    """Database, broker, keys and public URL; everything else has a default."""
    loaded = settings.load()

    assert ("link.example.com", True, ["default"]) == (loaded.issuer, loaded.secure, list(loaded.services))


def test_all_problems_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, unknown and wrong values are reported together."""
    problems = problems_of(monkeypatch, LATCHKEY_TOKENS__LIFETIME="-1", LATCHKEY_PUBIC_URL="x")

    named = sorted(problem.split(":")[0] for problem in problems)

    assert [
        "LATCHKEY_BROKER_URL",
        "LATCHKEY_DATABASE_URL",
        "LATCHKEY_KEYS_DIR",
        "LATCHKEY_PUBIC_URL",
        "LATCHKEY_PUBLIC_URL",
        "LATCHKEY_TOKENS__LIFETIME",
    ] == named


def test_misspelt_name_is_told_the_right_one(environment: pytest.MonkeyPatch) -> None:
    """A near miss gets a suggestion."""
    assert ["LATCHKEY_LISTN: no such setting; did you mean LATCHKEY_LISTEN?"] == problems_of(
        environment, LATCHKEY_LISTN="127.0.0.1:1"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LATCHKEY_PUBLIC_URL", "link.example.com"),
        ("LATCHKEY_PUBLIC_URL", "https://link.example.com/"),
        ("LATCHKEY_PUBLIC_URL", "ftp://link.example.com"),
        ("LATCHKEY_DATABASE_URL", "mysql://db"),
        ("LATCHKEY_BROKER_URL", "redis://broker"),
        ("LATCHKEY_DATABASE_URL", "postgresql+asyncpg://db/latchkey?sslmode=always"),
        ("LATCHKEY_DATABASE_URL", "postgresql+asyncpg://db/latchkey?sslmode=verify-full&sslrootcert=system"),
        ("LATCHKEY_BROKER_URL", "amqps://broker?cafile=/nowhere/root.pem"),
        ("LATCHKEY_BROKER_URL", f"amqp://broker?cafile={__file__}"),
        ("LATCHKEY_LISTEN", "8080"),
        ("LATCHKEY_LISTEN", "127.0.0.1:99999"),
    ],
)
def test_wrong_value_is_told_the_right_form(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Each check names its setting."""
    (problem,) = problems_of(environment, **{name: value})

    assert problem.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("variables", "setting"),
    [
        ({"LIMITS__FIRST_DELAY": "60", "LIMITS__LONGEST_DELAY": "30"}, "LATCHKEY_LIMITS__LONGEST_DELAY"),
        ({"WEBHOOK__URL": "api.example.com", "WEBHOOK__SECRET": WEBHOOK_SECRET}, "webhook.url"),
        ({"WEBHOOK__URL": "https://a:b@example.com/", "WEBHOOK__SECRET": WEBHOOK_SECRET}, "webhook.url"),
        ({"WEBHOOK__URL": "https://example.com/", "WEBHOOK__SECRET": WEBHOOK_SECRET[6:]}, "webhook.secret"),
        ({"WEBHOOK__URL": "https://example.com/", "WEBHOOK__SECRET": "whsec_c2hvcnQ="}, "webhook.secret"),
        ({"WEBHOOK__URL": "https://example.com/", "WEBHOOK__SECRET": "whsec_not base 64"}, "webhook.secret"),
    ],
)
def test_limits_and_webhook_are_checked(
    environment: pytest.MonkeyPatch, variables: dict[str, str], setting: str
) -> None:
    """The message names the setting and the way out, and never repeats a secret."""
    (problem,) = problems_of(environment, **{f"LATCHKEY_{name}": value for name, value in variables.items()})

    assert problem.startswith(f"{setting}: ")
    assert variables.get("WEBHOOK__SECRET", "?") not in problem


def test_issuer_that_makes_tokens_too_long_is_refused(environment: pytest.MonkeyPatch) -> None:
    """A host that is too long for the token needs a shorter issuer, and the message says which setting."""
    (problem,) = problems_of(environment, LATCHKEY_PUBLIC_URL=f"https://{'h' * 40}.example.com")

    assert problem.startswith("LATCHKEY_TOKENS__ISSUER: ")


def test_longest_issuer_is_taken(environment: pytest.MonkeyPatch) -> None:
    """Together with the longest name of a service; with one character more it is refused."""
    longest = "i" * (settings.LONGEST_ISSUER - len("default"))
    environment.setenv("LATCHKEY_TOKENS__ISSUER", longest)

    assert longest == settings.load().issuer
    (problem,) = problems_of(environment, LATCHKEY_TOKENS__ISSUER=f"{longest}i")
    assert problem.startswith("LATCHKEY_TOKENS__ISSUER: too long")


def test_file_is_weaker_than_the_environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The TOML file gives structure; the environment overrides it."""
    file = tmp_path / "latchkey.toml"
    file.write_text('log_level = "debug"\nlisten = "127.0.0.1:1"\n[services.default]\ntitle = "Moonlight"\n')
    environment.setenv("LATCHKEY_CONFIG", str(file))
    environment.setenv("LATCHKEY_LISTEN", "127.0.0.1:2")
    loaded = settings.load()

    assert ("debug", "127.0.0.1:2", "Moonlight") == (
        loaded.log_level,
        loaded.listen,
        loaded.services["default"].title,
    )


def test_unknown_name_in_the_file_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At the top and inside a section."""
    file = tmp_path / "latchkey.toml"
    file.write_text("nonsense = 1\n[link]\nlifetme = 60\n")

    problems = problems_of(environment, LATCHKEY_CONFIG=str(file))

    assert {"nonsense", "link.lifetme"} == {problem.split(":")[0] for problem in problems}


@pytest.mark.parametrize(
    "url",
    [
        "content.internal/smapi",
        "ftp://content.internal/smapi",
        "http://user:password@content.internal/smapi",
        "http://content.internal/smapi#part",
        "http://content.internal/sm api",
        "http://content.internal/\\u000d\\u000aX: 1",
        "http://",
    ],
)
def test_content_url_is_a_plain_address(environment: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    """With nothing in it that could lead elsewhere, or show a password."""
    file = tmp_path / "latchkey.toml"
    file.write_text(f'[services.default.content]\nurl = "{url}"\n')

    (problem,) = problems_of(environment, LATCHKEY_CONFIG=str(file))

    assert problem.startswith("services.default.content.url: write it like http")
    assert "password@" not in problem


@pytest.mark.parametrize(
    "url", ["http://content.internal/smapi", "https://c.example:8443", "http://[::1]:8080/a?b=c"]
)
def test_content_url_is_taken_as_it_is(environment: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    """Host, port, path and query."""
    file = tmp_path / "latchkey.toml"
    file.write_text(f'[services.default.content]\nurl = "{url}"\n')
    environment.setenv("LATCHKEY_CONFIG", str(file))
    content = settings.load().services["default"].content

    assert content is not None
    assert (url, frozenset()) == (content.url, content.pass_on)


def test_client_of_an_unknown_service_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The problem names the client, and the services there are."""
    file = tmp_path / "latchkey.toml"
    file.write_text(
        f'[api_clients.backend]\nsecret_sha256 = "{"0" * 64}"\nroles = ["revoke"]\nmay_act_for = ["other"]\n'
    )

    (problem,) = problems_of(environment, LATCHKEY_CONFIG=str(file))

    assert "api_clients.backend.may_act_for: names a service that is not there; there is default" == problem


def test_file_that_cannot_be_read_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Broken TOML is a problem of LATCHKEY_CONFIG."""
    file = tmp_path / "latchkey.toml"
    file.write_text("= broken")

    (problem,) = problems_of(environment, LATCHKEY_CONFIG=str(file))

    assert problem.startswith("LATCHKEY_CONFIG: ")


def test_passwords_are_masked(environment: pytest.MonkeyPatch) -> None:
    """Neither repr nor a dump shows what is in a URL."""
    loaded = settings.load()

    assert "canary-password" not in repr(loaded) + str(loaded.model_dump(mode="json"))


def test_every_setting_is_described() -> None:
    """Each field says what it is for; the documentation is made from that."""
    undescribed = [name for name, field in settings.Settings.model_fields.items() if not field.description]
    sections = {"account_events", "link", "tokens", "refresh", "sessions", "limits", "retention"}

    assert sections == set(undescribed)
    assert re.match(r"[A-Z`]", settings.Settings.model_fields["listen"].description or "")


def test_upgrades_that_cannot_be_are_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only a service with tokens can be upgraded to, and only from a service that is there."""
    file = tmp_path / "latchkey.toml"
    file.write_text(
        '[services.one]\nauth = "session_id"\nupgrade_from = ["session_id"]\n[services.two]\nupgrade_of = "three"\n'
    )

    problems = problems_of(environment, LATCHKEY_CONFIG=str(file))

    assert ["services.one.upgrade_from", "services.two.upgrade_of"] == [
        problem.split(":")[0] for problem in problems
    ]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (
            '[link]\ndevice_id = "ignored"\n[services.default]\ntyped_codes = true\n',
            "LATCHKEY_LINK__DEVICE_ID",
        ),
        (f'[api_keys.shop]\nsecret_sha256 = "{"0" * 64}"\nservices = ["nowhere"]\n', "api_keys"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: str, name: str
) -> None:
    """Typed codes need the hidden half to come back, and a key needs services that exist."""
    file = tmp_path / "latchkey.toml"
    file.write_text(content)
    (problem,) = problems_of(environment, LATCHKEY_CONFIG=str(file))

    assert problem.startswith(f"{name}: ")


def problems_of_file(environment: pytest.MonkeyPatch, tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "latchkey.toml"
    path.write_text(text)
    return problems_of(environment, LATCHKEY_CONFIG=str(path))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[services.default]\nproviders = ["nobody"]\n', "services.default.providers"),
        ('[providers.api]\ntype = "local"\n', "providers.api"),
        ('[providers.people]\ntype = "local"\n', "providers.people"),
    ],
)
def test_providers_that_cannot_be(
    environment: pytest.MonkeyPatch, tmp_path: Path, text: str, named: str
) -> None:
    """A provider that is not there, and a name that means something else, are refused by name."""
    assert [named] == [problem.split(":")[0] for problem in problems_of_file(environment, tmp_path, text)]


def test_secrets_may_be_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each named as its setting, weaker than the environment; a folder that is not there is told."""
    (tmp_path / "database_url").write_text("postgresql+asyncpg://file@db/latchkey\n")
    (tmp_path / "broker_url").write_text("amqp://file@broker")
    environment.delenv("LATCHKEY_DATABASE_URL")
    environment.setenv("LATCHKEY_SECRETS_DIR", str(tmp_path))
    loaded = settings.load()

    assert "postgresql+asyncpg://file@db/latchkey" == loaded.database_url.get_secret_value()
    assert GOOD["LATCHKEY_BROKER_URL"] == loaded.broker_url.get_secret_value()
    assert ["SECRETS_DIR" in problem for problem in problems_of(environment, LATCHKEY_SECRETS_DIR="/no")] == [
        True
    ]
