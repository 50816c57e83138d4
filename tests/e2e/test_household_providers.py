"""People look after what is linked, and erase it, with accounts of identity providers: OpenID Connect and plain OAuth 2.0."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.e2e.test_identity_providers import changed, returning
from tests.play.database import execute
from tests.play.forger import Forger, forging
from tests.play.operator import System
from tests.play.person import Page, Person
from tests.play.providers import Providers, signing_in_at
from tests.play.sonos import Sonos, pair_of

HOME, WAY_IN, ERASE = "Your Sonos systems", "Sign in to see your Sonos systems", "Erase this account?"
CORP, CODES = "Continue with Corp", "Continue with Codes"


@pytest.fixture
async def forger() -> AsyncIterator[Forger]:
    async with forging() as forger:
        yield forger


@pytest.fixture
async def system(sqlite_url: str, tmp_path: Path, forger: Forger) -> AsyncIterator[System]:
    """A deployment with accounts of its own, and with the forger as a provider by either protocol."""

    async def providers(_: str) -> Providers:
        client = {"client_id": "latchkey", "client_secret": "s"}
        endpoints = {
            f"{name}_endpoint": f"{forger.issuer}/{path}"
            for name, path in {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}.items()
        }
        claims = {"subject": "sub", "nickname": ["sub"]}
        return {
            "local": {"type": "local", "title": "Own"},
            "corp": {**client, "type": "oidc", "issuer": forger.issuer, "title": "Corp", "prompt": "consent"},
            "codes": {**client, **endpoints, "type": "oauth2", "title": "Codes", "claims": claims},
        }

    async with signing_in_at(tmp_path, sqlite_url, providers) as system:
        yield system


@pytest.fixture
def sonos(http: aiohttp.ClientSession, system: System) -> Sonos:
    return Sonos(http, system.endpoint)


async def way_in(system: System, person: Person, path: str = "") -> Page:
    return await person.open(f"{system.gateways[0]}/household/default{path}")


async def visits(system: System) -> list[tuple[object, ...]]:
    return await execute(
        system.database_url, "SELECT purpose, outcome FROM visits ORDER BY opened_at, purpose"
    )


@pytest.mark.parametrize("words", [CORP, CODES])
async def test_person_sees_and_unlinks(system: System, sonos: Sonos, person: Person, words: str) -> None:
    """In another browser than the one that linked, as the same account."""
    link = await sonos.get_app_link()
    confirm = await person.follow(await person.open(link.reg_url), words)
    await person.press(confirm, "Allow")
    pair = pair_of(await sonos.poll(link))
    async with Person() as elsewhere:
        home = await elsewhere.follow(await way_in(system, elsewhere), words)
        after = await elsewhere.press(home, "Unlink now")
    dead = await sonos.root(pair)

    assert (HOME, True) == (home.title, "ending in PBHD" in home.text)
    assert "code=" not in home.url
    assert "No Sonos system is linked to this account." in after.text
    assert "Client.AuthTokenExpired" == dead.fault
    assert [("household", "open")] == await visits(system)


@pytest.mark.parametrize(
    ("words", "asked"), [(CORP, {"prompt": "login consent", "max_age": "0"}), (CODES, {"prompt": "login"})]
)
async def test_erasing_asks_for_a_new_proof(
    system: System, person: Person, words: str, asked: dict[str, str]
) -> None:
    """The provider is asked to let people sign in again, which looking around does not ask for; then the account is gone."""
    home = await way_in(system, person)
    before = parse_qs(urlsplit(await person.sent_to(home.links[words])).query)
    await person.follow(home, words)
    page = await way_in(system, person, "/erase")
    sent = parse_qs(urlsplit(await person.sent_to(page.links[words])).query)
    proven = await person.follow(page, words)
    erased = await person.press(proven, "Erase")
    accounts = await execute(system.database_url, "SELECT 1 FROM accounts")

    assert asked == {name: sent[name][0] for name in ("prompt", "max_age") if name in sent}
    assert ("login" in before.get("prompt", [""])[0], "max_age" in before) == (False, False)
    assert (ERASE, True) == (page.title, "You are signed in as" in proven.text)
    assert "erased" in erased.title
    assert [] == accounts


@pytest.mark.parametrize("said", [{"auth_time": int(time.time()) - 3600}, {"auth_time": None}])
async def test_being_signed_in_at_the_provider_does_not_erase(
    system: System, person: Person, forger: Forger, said: dict[str, Any]
) -> None:
    """An ID token that says it was an hour ago, or does not say when, is no new proof; to look around it does."""
    forger.bend = lambda claims: {k: v for k, v in (claims | said).items() if v is not None}
    home = await person.follow(await way_in(system, person), CORP)
    refused = await person.follow(await way_in(system, person, "/erase"), CORP)

    assert HOME == home.title
    assert (ERASE, True) == (refused.title, "Corp did not confirm who you are" in refused.text)
    assert "Erase" not in refused.buttons
    assert {("household", "open"), ("erase", "incomplete")} == set(await visits(system))


async def test_reloading_changes_nothing(system: System, person: Person, forger: Forger) -> None:
    """The same answer again opens the same visit, and the provider is not asked again."""
    url = await returning(person, (await way_in(system, person)).links[CORP])
    pages = [await person.open(url) for _ in range(3)]

    assert [HOME] * 3 == [page.title for page in pages]
    assert [("household", "open")] == await visits(system)
    assert 1 == len(forger.asked("/token"))


async def test_answer_that_cannot_be_used(system: System, person: Person, forger: Forger) -> None:
    """In another browser, at another provider's address, from another provider, or with a changed state."""
    url = await returning(person, (await way_in(system, person)).links[CORP])
    state = parse_qs(urlsplit(url).query)["state"][0]
    async with Person() as thief:
        await way_in(system, thief)
        pages = [await thief.open(url)]
        closed = await way_in(system, thief)
    pages.append(await person.open(url.replace("/callback/corp", "/callback/codes")))
    pages.append(await person.open(changed(url, iss="https://evil.example")))
    pages.append(await person.open(changed(url, state="A" + state[1:])))

    assert [(400, "This sign-in cannot be used")] * 4 == [(page.status, page.title) for page in pages]
    assert WAY_IN == closed.title
    assert [] == forger.asked("/token")
    assert [] == await visits(system)


async def test_stolen_code_opens_nothing(system: System, person: Person) -> None:
    """Somebody else's code in one's own answer proves nothing."""
    url = await returning(person, (await way_in(system, person)).links[CORP])
    stolen = parse_qs(urlsplit(url).query)["code"][0]
    async with Person() as thief:
        own = await returning(thief, (await way_in(system, thief)).links[CORP])
        page = await thief.open(changed(own, code=stolen))

    assert (WAY_IN, True) == (page.title, "Corp did not confirm who you are" in page.text)
    assert [("household", "incomplete")] == await visits(system)


async def test_nobody_is_sent_past_our_page(system: System, person: Person, forger: Forger) -> None:
    """A way to the provider that was made in another browser, for the other purpose, or without a token leads to our page."""
    home = await way_in(system, person)
    token = parse_qs(urlsplit(home.links[CORP]).query)["token"][0]
    async with Person() as lured:
        await way_in(system, lured)
        theirs = await lured.open(home.links[CORP])
    bare = await way_in(system, person, "/with/corp")
    other = await way_in(system, person, f"/erase/with/corp?token={token}")
    nobody = await way_in(system, person, "/with/local")

    assert [WAY_IN, WAY_IN, ERASE] == [page.title for page in (theirs, bare, other)]
    assert 404 == nobody.status
    assert {} == forger.codes


async def test_person_who_did_not_sign_in(system: System, person: Person) -> None:
    """Is told so, on the page it began on, and may try again, there or elsewhere."""
    home = await way_in(system, person)
    denied = await person.open(
        changed(await returning(person, home.links[CORP]), code=None, error="access_denied")
    )
    wrong = await person.open(
        changed(await returning(person, home.links[CORP]), code=None, error="server_error")
    )
    again = await person.follow(denied, CODES)

    assert "You did not sign in at Corp. You can try again." in denied.text
    assert "Corp could not sign you in" in wrong.text
    assert {CORP, CODES} <= denied.links.keys() | wrong.links.keys()
    assert HOME == again.title


async def test_disabled_account(system: System, person: Person) -> None:
    """Is told that it may not be used, and not something about a password."""
    home = await person.follow(await way_in(system, person), CORP)
    await execute(system.database_url, "UPDATE accounts SET status = 'disabled'")
    refused = await person.follow(await way_in(system, person), CORP)

    assert HOME == home.title
    assert "does not allow this account to be used with Sonos" in refused.text


async def test_provider_that_is_down(system: System, person: Person, forger: Forger) -> None:
    """The page says so, and then it works."""
    forger.answers["/token"] = (503, {})
    unchecked = await person.follow(await way_in(system, person), CORP)
    del forger.answers["/token"]
    home = await person.follow(unchecked, CORP)

    assert "Corp could not check your account just now" in unchecked.text
    assert HOME == home.title
