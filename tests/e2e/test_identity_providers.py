"""People sign in at providers that others have written, and at one that tests bend."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from joserfc.jwk import ECKey

from tests.play.database import execute
from tests.play.forger import Forger, forging
from tests.play.operator import System
from tests.play.person import Page, Person
from tests.play.providers import Providers, signing_in_at
from tests.play.sights import until_seen
from tests.play.sonos import Sonos, pair_of

CONTINUE = "Continue with Corp"
CLAIMS = {"tier": "plan", "tiers": {"gold": "paidPremium", "silver": "paidLimited"}}


async def registered(issuer: str, redirect_uri: str, **client: Any) -> dict[str, Any]:
    """Register a client at panva's provider, and return what it is told."""
    asked = {
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "application_type": "native",
        **client,
    }
    async with aiohttp.ClientSession() as http, http.post(f"{issuer}/reg", json=asked) as response:
        told: dict[str, Any] = await response.json()
        assert response.status == 201, told
    return told


async def as_panva(person: Person, page: Page, name: str) -> Page:
    """Sign in at panva's provider, and agree to what it asks."""
    page = await person.press(page, "Sign-in", login=name, password="whatever")
    return await person.press(page, "Continue")


@pytest.mark.parametrize("proof", ["basic", "post", "private_key_jwt", "none"])
async def test_link_with_panvas_provider(
    panva: str, sqlite_url: str, tmp_path: Path, person: Person, http: aiohttp.ClientSession, proof: str
) -> None:
    """By every way in which a client may prove who it is; the account has what the provider says, and its tokens are kept."""
    settings: dict[str, Any] = {
        "type": "oidc",
        "title": "Corp",
        "issuer": panva,
        "claims": CLAIMS,
        "scopes": ["openid", "profile", "offline_access"],
        "prompt": "consent",
        "keep_tokens": True,
        "client_auth": proof,
    }

    async def providers(public_url: str) -> Providers:
        client: dict[str, Any] = {
            "token_endpoint_auth_method": {"basic": "client_secret_basic", "post": "client_secret_post"}.get(
                proof, proof
            )
        }
        if proof == "private_key_jwt":
            key = ECKey.generate_key("P-256", {"kid": "own"})
            (tmp_path / "key.json").write_text(json.dumps(key.as_dict(private=True)))
            settings["private_key_file"] = str(tmp_path / "key.json")
            client["jwks"] = {"keys": [key.as_dict(private=False)]}
            client["token_endpoint_auth_signing_alg"] = "ES256"
        told = await registered(panva, f"{public_url}/callback/corp", **client)
        settings["client_id"] = told["client_id"]
        if proof in {"basic", "post"}:
            settings["client_secret"] = told["client_secret"]
        return {"corp": settings}

    async with signing_in_at(tmp_path, sqlite_url, providers) as system:
        sonos = Sonos(http, system.endpoint)
        link = await sonos.get_app_link()
        login = await person.follow(await person.open(link.reg_url), CONTINUE)
        back = await person.follow(login, "[ Cancel ]")
        login = await person.follow(back, CONTINUE)
        confirm = await as_panva(person, login, "ann")
        done = await person.press(confirm, "Allow")
        pair_of(await sonos.poll(link))

        assert "You did not sign in at Corp" in back.text
        assert "ann of panva" in confirm.text
        assert "Your Sonos system is linked" == done.title
        assert [("corp", "ann", "ann of panva", "paidPremium")] == await accounts(system)
        assert [(1,)] == await execute(sqlite_url, "SELECT COUNT(*) FROM provider_tokens")


async def test_link_with_the_mock(
    oidc_mock: str, sqlite_url: str, tmp_path: Path, person: Person, http: aiohttp.ClientSession
) -> None:
    """A provider on Authlib: signed in, and, the next time, denied; it says the latter without our state, so to nobody."""

    async def providers(_: str) -> Providers:
        settings = {"type": "oidc", "title": "Corp", "issuer": oidc_mock, "claims": CLAIMS}
        return {"corp": {**settings, "client_id": "latchkey", "client_secret": "whatever"}}

    async with signing_in_at(tmp_path, sqlite_url, providers) as system:
        sonos = Sonos(http, system.endpoint)
        link, denied = await sonos.get_app_link(), await sonos.get_app_link()
        form = await person.follow(await person.open(link.reg_url), CONTINUE)
        confirm = await person.press(form, "Authorize", sub="ann")
        await person.press(confirm, "Allow")
        pair_of(await sonos.poll(link))
        form = await person.follow(await person.open(denied.reg_url), CONTINUE)
        back = await person.press(form, "Deny", action="deny")

        assert "ann of the mock" in confirm.text
        assert [("corp", "ann", "ann of the mock", "paidLimited")] == await accounts(system)
        assert "This sign-in cannot be used" == back.title


async def accounts(system: System) -> list[tuple[object, ...]]:
    return await execute(
        system.database_url, "SELECT provider, subject, nickname, tier FROM accounts ORDER BY subject"
    )


@pytest.fixture
async def forger() -> AsyncIterator[Forger]:
    async with forging() as forger:
        yield forger


@pytest.fixture
async def system(sqlite_url: str, tmp_path: Path, forger: Forger) -> AsyncIterator[System]:
    """A deployment with two providers, the forger under both names, and with accounts of its own."""

    async def providers(_: str) -> Providers:
        shared = {"type": "oidc", "issuer": forger.issuer, "client_id": "latchkey", "client_secret": "s"}
        return {
            "local": {"type": "local", "title": "Own"},
            "corp": {**shared, "title": "Corp"},
            "other": {**shared, "title": "Other"},
        }

    async with signing_in_at(tmp_path, sqlite_url, providers) as system:
        yield system


@pytest.fixture
def sonos(http: aiohttp.ClientSession, system: System) -> Sonos:
    return Sonos(http, system.endpoint)


async def departure(person: Person, sonos: Sonos) -> str:
    """Return the address that leads from the sign-in page of a new link to the provider."""
    page = await person.open((await sonos.get_app_link()).reg_url)
    return page.links[CONTINUE]


async def returning(person: Person, departure: str) -> str:
    """Go to the provider, and return the address with which it sends the browser back."""
    return await person.sent_to(await person.sent_to(departure))


def changed(url: str, **parameters: str | None) -> str:
    """Return an address with other parameters; None takes one out."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    query = {name: value for name, value in (query | parameters).items() if value is not None}
    return f"{url.split('?', maxsplit=1)[0]}?{urlencode(query)}"


async def test_everything_is_in_the_request(system: System, sonos: Sonos, person: Person) -> None:
    """Code flow, PKCE S256, state, nonce, and the provider's own redirect URI; nothing of the link in the clear."""
    link = await sonos.get_app_link()
    page = await person.open(link.reg_url)
    asked = {}
    for title in ("Corp", "Other"):
        url = await person.sent_to(page.links[f"Continue with {title}"])
        asked[title] = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

        assert link.code not in url
    corp, other = asked.values()

    assert ("code", "S256", "openid profile", "latchkey") == tuple(
        corp[name] for name in ("response_type", "code_challenge_method", "scope", "client_id")
    )
    assert f"{system.gateways[0]}/callback/corp" == corp["redirect_uri"]
    assert f"{system.gateways[0]}/callback/other" == other["redirect_uri"]
    assert all(corp[name] != other[name] for name in ("state", "nonce", "code_challenge"))
    assert "A Sonos system asks" in page.text


async def test_nobody_is_sent_past_the_page_that_says_who_asks(
    sonos: Sonos, person: Person, forger: Forger
) -> None:
    """A link to the provider that was made elsewhere leads to our page first, in a new browser and in a known one."""
    url = await departure(person, sonos)
    async with Person() as lured:
        theirs = await lured.open(url)
        again = await lured.open(url)
    bare = await person.open(url.split("?")[0])

    assert ["Sign in to link Sonos"] * 3 == [page.title for page in (theirs, again, bare)]
    assert [] == forger.asked("/authorize")


STATES: dict[str, dict[str, str | None]] = {
    "no state": {"state": None},
    "a state of one's own": {"state": "AAAA"},
    "another issuer": {"iss": "https://evil.example.com"},
    "no issuer, where the provider promises it": {"iss": None},
    "another issuer's error": {"iss": "https://evil.example.com", "error": "access_denied"},
    "no code": {"code": None},
    "an empty code": {"code": ""},
    "a code without end": {"code": "x" * 5000},
}


async def test_answer_that_cannot_be_used(sonos: Sonos, person: Person, forger: Forger) -> None:
    """A clear page, and no code is shown to the provider; the true answer still works afterwards."""
    url = await returning(person, await departure(person, sonos))
    refused = {name: await person.open(changed(url, **parameters)) for name, parameters in STATES.items()}
    shown = list(forger.asked("/token"))
    confirm = await person.open(url)

    assert dict.fromkeys(STATES, (400, "This sign-in cannot be used")) == {
        name: (page.status, page.title) for name, page in refused.items()
    }
    assert [] == shown
    assert "ann of the forger" in confirm.text


async def test_answer_that_says_things_twice(sonos: Sonos, person: Person, forger: Forger) -> None:
    """Of two codes, issuers or states none is taken."""
    url = await returning(person, await departure(person, sonos))
    pages = [await person.open(f"{url}&{name}=other") for name in ("code", "iss", "state", "error")]

    # An error beside a code is an answer that no provider gives, too, but a clear one.
    assert [400] * 3 == [page.status for page in pages[:3]]
    assert "Corp could not sign you in" in pages[3].text
    assert [] == forger.asked("/token")


async def test_state_that_was_changed(sonos: Sonos, person: Person, forger: Forger) -> None:
    """Not one character, wherever it stands."""
    url = await returning(person, await departure(person, sonos))
    state = parse_qs(urlsplit(url).query)["state"][0]
    flipped = [
        state[:place] + ("A" if state[place] != "A" else "B") + state[place + 1 :]
        for place in (0, 20, 40, len(state) // 2, len(state) - 2)
    ]
    pages = [await person.open(changed(url, state=each)) for each in flipped]

    assert [400] * 5 == [page.status for page in pages]
    assert [] == forger.asked("/token")


async def test_another_browser(sonos: Sonos, person: Person, forger: Forger) -> None:
    """Neither a browser without our cookie, nor one with its own, nor the right one with a changed cookie."""
    url = await returning(person, await departure(person, sonos))
    async with Person() as stranger:
        pages = [await stranger.open(url)]
        await departure(stranger, sonos)
        pages.append(await stranger.open(url))
    (cookie,) = [cookie for cookie in person.http.cookie_jar if cookie.key == "latchkey"]
    changed_cookie = ("A" if cookie.value[0] != "A" else "B") + cookie.value[1:]
    async with aiohttp.ClientSession(cookies={"latchkey": changed_cookie}) as http, http.get(url) as response:
        statuses = [page.status for page in pages] + [response.status]

    assert [400] * 3 == statuses
    assert [] == forger.asked("/token")


async def test_answer_of_another_provider(sonos: Sonos, person: Person, forger: Forger) -> None:
    """What began at one provider is not finished at the address of another (mix-up)."""
    url = await returning(person, await departure(person, sonos))
    refused = await person.open(url.replace("/callback/corp", "/callback/other"))
    local = await person.open(url.replace("/callback/corp", "/callback/local"))
    nobody = await person.open(url.replace("/callback/corp", "/callback/nobody"))

    assert [400] * 3 == [page.status for page in (refused, local, nobody)]
    assert [] == forger.asked("/token")


async def test_stolen_code(system: System, sonos: Sonos, person: Person) -> None:
    """Somebody else's code in one's own answer proves nothing, does not count, and the thief's way is still open."""
    stolen = parse_qs(urlsplit(await returning(person, await departure(person, sonos))).query)["code"][0]
    async with Person() as thief:
        link = await sonos.get_app_link()
        for _ in range(7):
            page = await thief.open(link.reg_url)
            url = await returning(thief, page.links[CONTINUE])
            page = await thief.open(changed(url, code=stolen))

            assert "did not confirm who you are" in page.text
            assert CONTINUE in page.links
        confirm = await thief.follow(page, CONTINUE)
    outcomes = await execute(
        system.database_url, "SELECT DISTINCT kind FROM audit_events WHERE kind LIKE 'login%'"
    )

    assert "ann of the forger" in confirm.text
    assert {("login.incomplete",), ("login.authenticated",)} == set(outcomes)


async def test_reloading_changes_nothing(
    system: System, sonos: Sonos, person: Person, forger: Forger
) -> None:
    """The same answer again shows the same page, and the provider is not asked again."""
    url = await returning(person, await departure(person, sonos))
    pages = [await person.open(url) for _ in range(3)]

    assert ["Let this Sonos system play your music?"] * 3 == [page.title for page in pages]
    assert "code=" not in pages[0].url
    assert 1 == len(forger.asked("/token"))


async def test_person_who_did_not_sign_in(system: System, sonos: Sonos, person: Person) -> None:
    """Is told so, is not counted, and may try again, there or elsewhere."""
    url = await returning(person, await departure(person, sonos))
    backs = {
        error: await person.open(changed(url, code=None, error=error))
        for error in ("access_denied", "server_error", "<script>")
    }
    attempts = await execute(system.database_url, "SELECT COUNT(*) FROM login_attempts")
    confirm = await person.follow(backs["access_denied"], CONTINUE)
    seen = await until_seen(system, "page", "left", "turned_away", "sent")

    assert "You did not sign in at Corp" in backs["access_denied"].text
    assert all("Corp could not sign you in" in backs[error].text for error in ("server_error", "<script>"))
    assert all(
        {"Continue with Own", "Continue with Other", CONTINUE} <= page.links.keys() for page in backs.values()
    )
    assert [(0,)] == attempts
    assert "ann of the forger" in confirm.text
    assert seen["turned_away"] in {"access_denied", "server_error", "unreadable"}
    assert "corp" == seen["left"]


async def test_provider_that_is_down(system: System, sonos: Sonos, person: Person, forger: Forger) -> None:
    """Before: the page says so. While the code is exchanged: the same. Nothing is lost, and then it works."""
    page = await person.open((await sonos.get_app_link()).reg_url)
    forger.answers["/token"] = (503, {})
    unchecked = await person.follow(page, CONTINUE)
    del forger.answers["/token"]
    confirm = await person.follow(unchecked, CONTINUE)

    assert "Corp could not check your account just now. Nothing is lost" in unchecked.text
    assert "ann of the forger" in confirm.text


async def test_provider_that_was_never_reached(
    sqlite_url: str, tmp_path: Path, person: Person, http: aiohttp.ClientSession
) -> None:
    """The page says who asks as ever, and that this provider cannot be reached."""

    async def providers(_: str) -> Providers:
        nobody = {"type": "oidc", "title": "Corp", "issuer": "http://127.0.0.1:1", "client_id": "x"}
        return {"corp": nobody, "local": {"type": "local"}}

    async with signing_in_at(tmp_path, sqlite_url, providers, wait=False) as system:
        sonos = Sonos(http, system.endpoint)
        page = await person.open((await sonos.get_app_link()).reg_url)
        away = await person.follow(page, CONTINUE)

    assert "A Sonos system asks" in page.text
    assert "Corp cannot be reached just now. Nothing is lost" in away.text


async def test_disabled_account(system: System, sonos: Sonos, person: Person) -> None:
    """Is told that it may not be used, and not something about a password."""
    first = await person.open((await sonos.get_app_link()).reg_url)
    await person.follow(first, CONTINUE)
    await execute(system.database_url, "UPDATE accounts SET status = 'disabled'")
    second = await person.open((await sonos.get_app_link()).reg_url)
    refused = await person.follow(second, CONTINUE)

    assert "does not allow this account to be used with Sonos" in refused.text


async def test_two_browsers_finish_one_link(system: System, sonos: Sonos, person: Person) -> None:
    """With two accounts at the same time: one wins, the other is told, and the audit has both."""
    link = await sonos.get_app_link()
    async with Person() as other:
        other.http.cookie_jar.update_cookies({"who": "bob"})
        urls = [
            await returning(each, (await each.open(link.reg_url)).links[CONTINUE]) for each in (person, other)
        ]
        pages = await asyncio.gather(person.open(urls[0]), other.open(urls[1]))
        winner, confirm = next(
            (each, page) for each, page in zip((person, other), pages, strict=True) if "Allow" in page.buttons
        )
        done = await winner.press(confirm, "Allow")
    pair_of(await sonos.poll(link))
    audited = await execute(
        system.database_url,
        "SELECT subject FROM audit_events JOIN accounts USING (account_id) "
        "WHERE audit_events.kind = 'login.authenticated' ORDER BY subject",
    )

    assert {"Let this Sonos system play your music?", "This link is used in another browser"} == {
        page.title for page in pages
    }
    assert "Your Sonos system is linked" == done.title
    assert [("ann",), ("bob",)] == audited
