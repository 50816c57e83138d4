"""The settings of a service's own app: what is wrong is said at start, with the way out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared import settings
from shared.settings import SettingsError
from tests.unit.shared.test_settings import GOOD

RIGHT = """
[services.default]
app_url = "https://app.example.com/sonos?c={linkCode}&s={state}"
[services.default.create_account]
app_url = "moonlight://join?back={callbackPath}"
[services.default.app]
ios_url = "moonlight://{linkCode}"
android_url = "https://app.example.com/a/{linkCode}"
failure_url = "https://help.example.com/sonos"
provider = "local"
scope = "sonos:link"
origins = ["https://app.example.com", "http://127.0.0.1:8081"]
install = { message_string_id = "INSTALL", url = "https://app.example.com/get" }
call_to_action = { message_string_id = "USE_PHONE" }
[services.default.app.jwks]
url = "https://id.example.com/keys"
issuer = "https://id.example.com"
audience = "latchkey"
"""


Load = Callable[[str], list[str]]


@pytest.fixture
def problems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Return what is wrong with a settings file."""
    file = tmp_path / "latchkey.toml"
    for name, value in {**GOOD, "LATCHKEY_CONFIG": str(file)}.items():
        monkeypatch.setenv(name, value)

    def load(text: str) -> list[str]:
        file.write_text(text)
        try:
            settings.load()
        except SettingsError as error:
            return error.problems
        return []

    return load


def test_what_the_page_shows_is_right(problems: Load) -> None:
    """Everything at once, and no complaint."""
    assert [] == problems(RIGHT)


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("?c={linkCode}", "?c={code}", "services.default.app_url: there is no {code}"),
        ("?c={linkCode}", "?c=", "services.default.app_url: lacks {linkCode}"),
        ("moonlight://{linkCode}", "{linkCode}", "services.default.app.ios_url: is no address"),
        ("/a/{linkCode}", "/a /{linkCode}", "services.default.app.android_url: holds"),
        (
            "join?back={callbackPath}",
            "join?back={callback}",
            "services.default.create_account.app_url: there is no",
        ),
        (
            "https://help.example.com",
            "help.example.com",
            "services.default.app.failure_url: not a web address",
        ),
        (
            "https://app.example.com/get",
            "app.example.com",
            "services.default.app.install.url: not a web address",
        ),
        ('"local"', '"acme"', "services.default.app.provider: 'acme' is no provider"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081/", "services.default.app.origins"),
        ("http://127.0.0.1:8081", "*", "services.default.app.origins"),
        (
            "https://id.example.com/keys",
            "id.example.com/keys",
            "services.default.app.jwks.url: write it like",
        ),
        ('audience = "latchkey"', "", "LATCHKEY_SERVICES__DEFAULT__APP__JWKS__AUDIENCE: not set"),
        ('audience = "latchkey"', 'audience = "latchkey"\nalgorithms = ["HS256"]', "ALGORITHMS__0"),
        (
            'audience = "latchkey"',
            'audience = "latchkey"\n[services.default.app.userinfo]\nurl = "https://id.example.com/me"',
            "services.default.app: has jwks and userinfo",
        ),
        ("[services.default.app.jwks]", "[services.default.app.userinfo]", "no such setting"),
    ],
)
def test_what_is_wrong_is_said(problems: Load, right: str, wrong: str, complaint: str) -> None:
    """Each on its own, where it is, and the way out."""
    assert right in RIGHT
    assert complaint in "\n".join(problems(RIGHT.replace(right, wrong)))


def test_scope_needs_somebody_who_tells_it(problems: Load) -> None:
    """Userinfo does not say what a token is for."""
    section = '[services.default.app]\nscope = "sonos"\n[services.default.app.userinfo]\nurl = "https://id.example.com/me"'

    assert "services.default.app.scope: only jwks and introspection" in "".join(problems(section))


@pytest.mark.parametrize("secrets", ["", 'client_secret = "x"\nclient_secret_file = "/run/secret"'])
def test_introspection_has_one_secret(problems: Load, secrets: str) -> None:
    """Neither none nor two."""
    section = (
        f'[services.default.app.introspection]\nurl = "https://id.example.com/i"\nclient_id = "x"\n{secrets}'
    )

    assert "set one of them" in "".join(problems(section))


def test_secrets_are_not_shown(problems: Load) -> None:
    """Also not in the text form of the settings."""
    section = (
        '[services.default.app.introspection]\nurl = "https://id.example.com/i"\n'
        'client_id = "x"\nclient_secret = "canary-secret"'
    )

    assert [] == problems(section)
    assert "canary-secret" not in repr(settings.load())
