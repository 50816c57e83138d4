"""Settings of providers: what their addresses must be, what goes with which type, and what their documentation says."""

import re
import tomllib
from pathlib import Path

import pytest

from deploy import reference
from shared.settings import PROVIDER_TYPES
from shared.settings.addresses import is_loopback, is_private
from shared.settings.loading import SettingsError, load

DOCS = Path(__file__).parents[3] / "docs" / "providers"
GOOD = "https://music.example.com"


def problems_of(**provider: object) -> list[str]:
    """Return what is wrong with one provider."""
    try:
        load(
            database_url="sqlite+aiosqlite:///x",
            broker_url="memory://",
            keys_dir="keys",
            public_url="https://link.example.com",
            providers={"home": {"type": "subsonic", "url": GOOD, **provider}},
        )
    except SettingsError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        "https://music.example.com:4533",
        "https://example.com/navidrome",
        "http://localhost:4533",
        "http://127.0.0.1:4533",
        "http://[::1]:4533",
        "http://192.168.1.20:4533",
        "http://[fd00::20]:4533",
        "http://navidrome:4533",
        "http://my_navidrome:4533",
        "http://nas.local:4533",
        "http://music.home.arpa",
    ],
)
def test_address_is_taken(url: str) -> None:
    """By TLS anywhere, without it at home."""
    assert [] == problems_of(url=url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("music.example.com", "not the address of a server"),
        ("ftp://music.example.com", "not the address of a server"),
        ("https://ann:secret@music.example.com", "not the address of a server"),
        ("https://music.example.com?u=ann", "not the address of a server"),
        ("https://music.example.com/#/login", "not the address of a server"),
        ("https://music.example.com /", "not the address of a server"),
        ("https://", "not the address of a server"),
        (f"{GOOD}/", "ends in a slash"),
        (f"{GOOD}/rest", "ends in /rest"),
        (f"{GOOD}/rest/", "ends in /rest"),
        (f"{GOOD}/app", "ends in /app"),
        ("http://music.example.com", "readable"),
        ("http://8.8.8.8:4533", "readable"),
    ],
)
def test_address_is_refused(url: str, told: str) -> None:
    """Once, by name, with the way out, and without repeating what may be a password."""
    (problem,) = problems_of(url=url)

    assert problem.startswith("providers.home.url: ")
    assert told in problem
    assert "secret@" not in problem


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("jellyfin", "/web"),
        ("jellyfin", "/web/index.html"),
        ("audiobookshelf", "/login"),
        ("audiobookshelf", "/api"),
    ],
)
def test_address_as_the_browser_has_it(kind: str, end: str) -> None:
    """What people copy has the page at its end."""
    (problem,) = problems_of(type=kind, url=GOOD + end)

    assert f"ends in {end}" in problem


def test_plain_http_may_be_allowed() -> None:
    """By somebody who read what it risks."""
    assert [] == problems_of(url="http://music.example.com", allow_plain_http=True)


@pytest.mark.parametrize(
    ("url", "settings", "expected"),
    [
        (GOOD, {}, []),
        ("http://127.0.0.1:5722", {}, []),
        ("http://supysonic:5722", {}, ["providers.home.allow_password"]),
        ("http://192.168.1.20:5722", {}, ["providers.home.allow_password"]),
        ("http://192.168.1.20:5722", {"allow_plain_http": True}, []),
        ("http://music.example.com", {}, ["providers.home.url"]),
    ],
)
def test_password_itself_goes_by_tls_or_stays_here(
    url: str, settings: dict[str, object], expected: list[str]
) -> None:
    """A token may cross one's own network in the clear; a password only if that is allowed."""
    problems = problems_of(url=url, allow_password=True, **settings)

    assert expected == [problem.split(":")[0] for problem in problems]


@pytest.mark.parametrize("told", [{}, {"type": "subsonc"}])
def test_type_is_one_of_those_there_are(told: dict[str, str]) -> None:
    """The problem lists them."""
    with pytest.raises(SettingsError) as error:
        load(
            database_url="sqlite+aiosqlite:///x",
            broker_url="memory://",
            keys_dir="keys",
            public_url="https://link.example.com",
            providers={"home": {"url": GOOD, **told}},
        )

    (problem,) = error.value.problems
    assert problem.startswith("providers.home.type: ")
    assert problem.endswith(", ".join(PROVIDER_TYPES))


def test_name_that_cannot_be_is_told_the_form() -> None:
    """In words."""
    with pytest.raises(SettingsError) as error:
        load(
            database_url="sqlite+aiosqlite:///x",
            broker_url="memory://",
            keys_dir="keys",
            public_url="https://link.example.com",
            providers={"Music": {"type": "subsonic", "url": GOOD}},
        )

    (problem,) = error.value.problems
    assert problem.startswith("providers.Music: a name has ")


def test_problems_have_the_names_of_the_file() -> None:
    """The type is not in them."""
    problems = problems_of(type="http", url=GOOD, seecret_file="x")

    assert {"LATCHKEY_PROVIDERS__HOME__SECRET_FILE", "providers.home.seecret_file"} == {
        problem.split(":")[0] for problem in problems
    }


@pytest.mark.parametrize(
    ("host", "loopback", "private"),
    [
        ("127.0.0.1", True, True),
        ("localhost", True, True),
        ("::1", True, True),
        ("10.0.0.1", False, True),
        ("169.254.3.4", False, True),
        ("nas", False, True),
        ("nas.lan", False, True),
        ("1.1.1.1", False, False),
        ("local.example.com", False, False),
        ("100.64.0.1", False, False),
    ],
)
def test_networks_of_ones_own(host: str, loopback: bool, private: bool) -> None:
    """By address or by name."""
    assert (loopback, private) == (is_loopback(host), is_private(host))


@pytest.mark.parametrize("kind", PROVIDER_TYPES)
def test_every_type_is_among_the_settings(kind: str) -> None:
    """The reference page has each field of it, with its type."""
    page = reference.settings_page()
    rows = [line for line in page.splitlines() if line.startswith("| `providers.NAME.")]
    fields = PROVIDER_TYPES[kind].model_fields

    assert any(f"`{kind}`: " in row for row in rows)
    for name in fields:
        said = [row for row in rows if re.match(rf"\| `providers\.NAME\.{name}[`.]", row)]
        assert any("*(" not in row or re.search(rf"\*\(.*\b{kind}\b.*\)\*", row) for row in said), name


@pytest.mark.parametrize("kind", PROVIDER_TYPES)
def test_every_type_has_a_page_that_works(kind: str) -> None:
    """With an example that the settings take as it stands."""
    page = (DOCS / f"{kind}.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)

    assert examples
    assert f"({kind}.md)" in (DOCS / "README.md").read_text()
    for example in examples:
        load(
            database_url="sqlite+aiosqlite:///x",
            broker_url="memory://",
            keys_dir="keys",
            public_url="https://link.example.com",
            **tomllib.loads(example),
        )
