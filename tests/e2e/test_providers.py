"""Households of people whose accounts are elsewhere: at a real server with the Subsonic API, and at two servers beside each other."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import started
from tests.play.database import execute
from tests.play.jellyfin import JellyfinServer
from tests.play.operator import EMBEDDED, PATIENCE, System, deployment
from tests.play.person import Person
from tests.play.ports import free_port
from tests.play.server import User
from tests.play.sonos import Sonos, login_of, pair_of, session_of
from tests.play.supysonic import supysonic

PASSWORD, OTHER_PASSWORD, WRONG = "canary-at-navidrome", "canary-at-jellyfin", "canary-typed-wrongly"

SETTINGS = """
[services.default]
title = "Home"

[services.classic]
auth = "session_id"

[services.header]
auth = "stateless"

[services.alone]
providers = ["music"]

[providers.music]
type = "subsonic"
url = "{subsonic}"
allow_password = true

[providers.films]
type = "jellyfin"
title = "Film night"
url = "{jellyfin}"
"""


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server, with one user."""
    with supysonic(tmp_path_factory.mktemp("supysonic"), mia=PASSWORD) as url:
        yield url


@pytest.fixture
async def films() -> AsyncIterator[JellyfinServer]:
    """Another server, with a user of the same name."""
    async with JellyfinServer().up() as server:
        server.users.append(User(name="mia", password=OTHER_PASSWORD))
        yield server


@pytest.fixture
async def embedded(
    sqlite_url: str, tmp_path: Path, music: str, films: JellyfinServer
) -> AsyncIterator[System]:
    """A deployment whose people are at those two servers."""
    async with deployed(tmp_path, sqlite_url, music, films.url) as system:
        yield system
        assert not [word for word in (PASSWORD, OTHER_PASSWORD, WRONG) if word in system.logs()]
        assert PASSWORD.encode().hex() not in system.logs()


def deployed(folder: Path, database_url: str, music: str, films: str):
    file = folder / "latchkey.toml"
    file.write_text(SETTINGS.format(subsonic=music, jellyfin=films))
    return started(folder, database_url, LATCHKEY_CONFIG=str(file))


async def test_household_links_with_an_account_elsewhere(
    embedded: System, http: aiohttp.ClientSession, person: Person
) -> None:
    """Whole: a wrong password first, then the right one, allowed, polled, used; and linked again as the same account."""
    sonos = Sonos(http, f"{embedded.endpoint}/alone")
    link = await sonos.get_app_link()
    wrong = await person.sign_in(link.reg_url, name="mia", password=WRONG)
    done = await person.complete(link.reg_url, name="mia", password=PASSWORD)
    answer = await sonos.poll(link)
    again = await sonos.get_app_link()
    await person.complete(again.reg_url, name="mia", password=PASSWORD)
    accounts = await execute(embedded.database_url, "SELECT provider, subject, nickname FROM accounts")

    assert "You have 4 more tries." in wrong.text
    assert "Your Sonos system is linked" == done.title
    assert "mia" == answer["nickname"]
    assert (await sonos.root(pair_of(await sonos.poll(again)))).fault is None
    assert [("music", "mia", "mia")] == [tuple(row) for row in accounts]


async def test_two_servers_on_one_page(embedded: System, sonos: Sonos, person: Person) -> None:
    """Each by its title, each with its own people: one name at two servers is two accounts."""
    nicknames = []
    for title, password in (("Music", PASSWORD), ("Film night", OTHER_PASSWORD)):
        link = await sonos.get_app_link()
        page = await person.open(link.reg_url)
        other = await person.press(
            await person.open(page.links[f"Continue with {title}"]), "Sign in", name="mia", password=WRONG
        )
        await person.press(await person.press(other, "Sign in", name="mia", password=password), "Allow")
        nicknames.append((await sonos.poll(link))["nickname"])
    accounts = await execute(
        embedded.database_url, "SELECT provider, nickname FROM accounts ORDER BY provider"
    )

    assert ["mia", "mia"] == nicknames
    assert [("films", "mia"), ("music", "mia")] == [tuple(row) for row in accounts]


async def test_password_of_one_server_is_no_good_at_the_other(
    embedded: System, sonos: Sonos, person: Person
) -> None:
    """What is typed goes to the server that was chosen."""
    link = await sonos.get_app_link()
    page = await person.open((await person.open(link.reg_url)).links["Continue with Film night"])
    refused = await person.press(page, "Sign in", name="mia", password=PASSWORD)

    assert "do not match" in refused.text


async def test_server_that_is_down_is_named(
    sqlite_url: str, tmp_path: Path, music: str, person: Person, http: aiohttp.ClientSession
) -> None:
    """On the page by its title, in the log by its address; the other one works, and no try is lost."""
    away = f"http://127.0.0.1:{free_port()}"
    async with deployed(tmp_path, sqlite_url, music, away) as system:
        sonos = Sonos(http, system.endpoint)
        link = await sonos.get_app_link()
        form = await person.open((await person.open(link.reg_url)).links["Continue with Film night"])
        down = await person.press(form, "Sign in", name="mia", password=OTHER_PASSWORD)
        other = await person.open(down.links["Continue with Music"])
        wrong = await person.press(other, "Sign in", name="mia", password=WRONG)
        await person.press(await person.press(wrong, "Sign in", name="mia", password=PASSWORD), "Allow")
        polled = await sonos.poll(link)

        assert "Film night could not check your account just now." in down.text
        assert "You have 4 more tries." in wrong.text
        assert polled.fault is None
        assert f"{away}/Users/AuthenticateByName did not answer" in system.logs()
        assert OTHER_PASSWORD not in system.logs()


async def test_households_without_tokens(embedded: System, http: aiohttp.ClientSession) -> None:
    """`getSessionId` and a password in every header go to the first server that takes passwords."""
    classic, header = (Sonos(http, f"{embedded.endpoint}/{name}") for name in ("classic", "header"))
    session = await classic.get_session_id("mia", PASSWORD)
    answers = [
        await classic.browse(session_of(session["getSessionIdResult"])),
        await header.browse(login_of("mia", PASSWORD)),
        await classic.get_session_id("mia", WRONG),
        await header.browse(login_of("mia", OTHER_PASSWORD)),
    ]

    assert [None, None, "Client.LoginInvalid", "Client.LoginInvalid"] == [answer.fault for answer in answers]


async def test_secret_that_is_not_there_is_said_at_start(sqlite_url: str, tmp_path: Path) -> None:
    """In one line, with the way out, also where one process does everything."""
    file = tmp_path / "latchkey.toml"
    file.write_text(
        '[providers.shop]\ntype = "http"\nurl = "https://shop.example"\nsecret_file = "nowhere"\n'
    )
    extra = {"LATCHKEY_CONFIG": str(file)}
    with deployment(tmp_path, database_url=sqlite_url, broker_url="memory://", extra=extra) as system:
        process = system.start_gateway("embedded", ("-c", EMBEDDED))
        status = process.popen.wait(timeout=PATIENCE)
        system.processes.clear()
        said = process.log.read_text()

    assert 2 == status
    assert "- providers.shop.secret_file: cannot be read" in said
    assert "Traceback" not in said


async def test_households_without_tokens_outlive_an_outage(
    sqlite_url: str, tmp_path: Path, films: JellyfinServer, http: aiohttp.ClientSession
) -> None:
    """A server that is down is Server.ServiceUnavailable, which destroys nothing; the log says which, and why."""
    away = f"http://127.0.0.1:{free_port()}"
    async with deployed(tmp_path, sqlite_url, away, films.url) as system:
        classic, header = (Sonos(http, f"{system.endpoint}/{name}") for name in ("classic", "header"))
        answers = [
            await classic.get_session_id("mia", PASSWORD),
            await header.browse(login_of("mia", PASSWORD)),
        ]

        assert ["Server.ServiceUnavailable"] * 2 == [answer.fault for answer in answers]
        assert f"{away}/rest/getOpenSubsonicExtensions.view did not answer" in system.logs()
