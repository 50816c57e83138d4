"""Settings of providers that people are sent to: what is wrong is told by its name."""

from pathlib import Path

import pytest

from shared.settings import OidcProviderSettings, Settings, SettingsError, load

BASE = {
    "database_url": "sqlite+aiosqlite:///x",
    "broker_url": "memory://",
    "keys_dir": "/keys",
    "public_url": "https://link.example.com",
}
OIDC = {"type": "oidc", "issuer": "https://login.example.com", "client_id": "latchkey"}
OAUTH2 = {
    "type": "oauth2",
    "client_id": "latchkey",
    "authorization_endpoint": "https://example.com/authorize",
    "token_endpoint": "https://example.com/token",
    "userinfo_endpoint": "https://example.com/me",
}


def settings_of(**provider: object) -> Settings:
    return load(**BASE, providers={"corp": provider})


@pytest.mark.parametrize(
    "provider",
    [
        OIDC,
        OAUTH2,
        OIDC | {"issuer": "http://127.0.0.1:9400"},
        OIDC | {"issuer": "http://[::1]:9400/realm"},
        OIDC | {"issuer": "http://localhost"},
        OIDC | {"client_secret": "s", "client_auth": "post"},
        OIDC | {"private_key_file": "/key"},
    ],
)
def test_settings_that_are_right(provider: dict[str, object]) -> None:
    """Are taken."""
    assert settings_of(**provider).providers["corp"].takes_password is False


@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        (OIDC | {"issuer": "http://login.example.com"}, "write https"),
        (OIDC | {"issuer": "http://127.0.0.1.example.com"}, "write https"),
        (OIDC | {"issuer": "https://user:secret@login.example.com"}, "without user"),
        (OIDC | {"issuer": "https://login.example.com/?realm=1"}, "without user"),
        (OIDC | {"scopes": ["profile"]}, 'add "openid"'),
        (OIDC | {"algorithms": ["HS256"]}, "RS256"),
        (OIDC | {"algorithms": ["none"]}, "RS256"),
        (OIDC | {"algorithms": []}, "at least 1"),
        (OIDC | {"client_secret": "s", "private_key_file": "/key"}, "one of them is enough"),
        (OIDC | {"client_auth": "post"}, "client_secret or client_secret_file"),
        (OIDC | {"client_auth": "none", "client_secret": "s"}, "no secret and no key"),
        (OIDC | {"claims": {"tiers": {"gold": "platinum"}}}, "paidPremium"),
        (OIDC | {"colour": "blue"}, "no such setting"),
        (OAUTH2 | {"token_endpoint": "http://example.com/token"}, "write https"),
        ({"type": "oidc", "client_id": "x"}, "not set"),
        ({"type": "saml"}, "oauth2"),
    ],
)
def test_settings_that_are_wrong(provider: dict[str, object], problem: str) -> None:
    """Are refused, with what to do."""
    with pytest.raises(SettingsError) as error:
        settings_of(**provider)

    assert problem in str(error.value)


def test_secret_may_come_from_the_environment_beside_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the docs say; and it does not show."""
    file = tmp_path / "latchkey.toml"
    file.write_text(
        '[providers.corp]\ntype = "oidc"\nissuer = "https://login.example.com"\nclient_id = "latchkey"\n'
    )
    monkeypatch.setenv("LATCHKEY_CONFIG", str(file))
    monkeypatch.setenv("LATCHKEY_PROVIDERS__CORP__CLIENT_SECRET", "canary")
    settings = load(**BASE)
    corp = settings.providers["corp"]

    assert isinstance(corp, OidcProviderSettings)
    assert corp.client_secret is not None
    assert ("canary", "basic") == (corp.client_secret.get_secret_value(), corp.client_authentication)
    assert "canary" not in repr(settings)
    assert "https://link.example.com/callback/corp" == settings.redirect_uri("corp")


@pytest.mark.parametrize("page", ["oidc", "oauth2"])
def test_example_of_the_docs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str) -> None:
    """Can be used as it stands."""
    text = (Path(__file__).parents[3] / f"docs/providers/{page}.md").read_text()
    file = tmp_path / "latchkey.toml"
    file.write_text(text.split("```toml\n")[1].split("```")[0])
    monkeypatch.setenv("LATCHKEY_CONFIG", str(file))

    assert [page] == [provider.type for provider in load(**BASE).providers.values()]
