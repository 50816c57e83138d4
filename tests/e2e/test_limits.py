"""Passwords are guessed: who has to wait, who does not, what each is told, and what stays on record."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import start_separately
from tests.play.database import execute
from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.person import NAME, PASSWORD, Page, Person
from tests.play.sonos import Sonos, login_of, pair_of, session_of

SETTINGS = """
trusted_proxies = 1

[services.default]
title = "Linked"

[services.classic]
title = "Classic"
auth = "session_id"

[services.header]
title = "Header"
auth = "stateless"

[services.moved]
title = "Moved"
upgrade_from = ["session_id"]
upgrade_of = "classic"

[limits]
place_tries = 2
account_tries = 4
network_tries = 6

[sessions]
timeout = 8
"""
HOME, MOBILE, CAFE = "20.1.1.7", "20.2.2.7", "20.3.3.7"
UNAVAILABLE = "Server.ServiceUnavailable"
WAIT = "Too many wrong passwords"
SIGNED_IN = "Let this Sonos system play your music?"


@pytest.fixture(params=["embedded", pytest.param("processes", marks=pytest.mark.services)])
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """A deployment behind one proxy, with small budgets and every way of signing in with a password."""
    separate = request.param == "processes"
    config = tmp_path / "latchkey.toml"
    config.write_text(SETTINGS)
    with deployment(
        tmp_path,
        database_url=request.getfixturevalue("postgres_url" if separate else "sqlite_url"),
        broker_url=request.getfixturevalue("rabbit_url") if separate else "memory://",
        extra={"LATCHKEY_CONFIG": str(config)},
    ) as prepared:
        await add_account(prepared)
        for service in ("classic", "header"):
            await execute(
                prepared.database_url,
                "INSERT INTO local_users (service, name, subject, nickname, password_hash) "
                "SELECT :service, name, subject, nickname, password_hash FROM local_users WHERE service = 'default'",
                service=service,
            )
        if separate:
            start_separately(prepared)
        else:
            prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


@asynccontextmanager
async def browser(address: str) -> AsyncIterator[Person]:
    """A new browser somewhere."""
    async with Person() as person:
        person.http.headers["X-Forwarded-For"] = f"6.6.6.6, {address}"
        yield person


async def sign_in(system: System, person: Person, password: str, *, name: str = NAME) -> Page:
    """Sign in for a link of its own, on the last gateway."""
    link = await Sonos(person.http, system.endpoint).get_app_link()
    url = link.reg_url.replace(system.gateways[0], system.gateways[-1])
    return await person.sign_in(url, name=name, password=password)


async def tries(system: System, address: str, *passwords: str, name: str = NAME) -> list[str]:
    """Offer passwords from a new browser, and return what each page says."""
    async with browser(address) as person:
        return [(await sign_in(system, person, password, name=name)).title for password in passwords]


async def audits(system: System) -> Counter[str]:
    rows = await execute(system.database_url, "SELECT kind FROM audit_events")
    return Counter(str(kind) for (kind,) in rows)


async def test_budget_of_an_account_is_one_for_each_network(system: System) -> None:
    """Two wrong passwords from one network, and the right one has to wait there; elsewhere it does not."""
    here = await tries(system, HOME, "wrong 1", "wrong 2", PASSWORD)
    again = await tries(system, HOME, PASSWORD)
    there = await tries(system, MOBILE, PASSWORD)

    assert ["Sign in to link Sonos", "Sign in to link Sonos", WAIT, WAIT, SIGNED_IN] == [
        *here,
        *again,
        *there,
    ]
    assert {"login.refused": 2, "login.authenticated": 1} == {
        kind: count for kind, count in (await audits(system)).items() if kind.startswith("login.")
    }


async def test_owner_signs_in_while_under_attack(system: System) -> None:
    """The account's budget is burnt from elsewhere: strangers wait; at home, and with the known browser anywhere, nobody does."""
    async with browser(HOME) as owner:
        await sign_in(system, owner, PASSWORD)
        attack = [
            title
            for number in range(4)
            for title in await tries(system, f"20.9.{number}.1", f"guess {number}")
        ]
        stranger = await tries(system, CAFE, PASSWORD)
        new_device_at_home = await tries(system, HOME, PASSWORD)
        owner.http.headers["X-Forwarded-For"] = MOBILE
        away = await sign_in(system, owner, PASSWORD)

    assert ["Sign in to link Sonos"] * 4 == attack
    assert [WAIT] == stranger
    assert ([SIGNED_IN], SIGNED_IN) == (new_device_at_home, away.title)


async def test_browser_is_remembered_when_somebody_has_signed_in(system: System) -> None:
    """Before, its cookie ends with the browser's session; after, it stays as long as the place is known, and is the same."""
    async with browser(HOME) as person:
        link = await Sonos(person.http, system.endpoint).get_app_link()
        form = await person.open(link.reg_url)
        (before,) = list(person.http.cookie_jar)
        await person.press(form, "Sign in", name=NAME, password=PASSWORD)
        (after,) = list(person.http.cookie_jar)

    assert before.value == after.value
    assert ("", str(180 * 86400)) == (before["max-age"], after["max-age"])
    assert after["httponly"]


async def test_network_has_a_budget_for_all_names(system: System) -> None:
    """Six names with a wrong password from one prefix, then all wait there, with any cookie and any address of the prefix."""
    names = [f"name {number}" for number in range(6)]
    sprayed = [
        title
        for number, name in enumerate(names)
        for title in await tries(system, f"20.3.3.{number}", "Summer2026", name=name)
    ]
    neighbour = await tries(system, "20.3.3.200", PASSWORD)
    elsewhere = await tries(system, MOBILE, PASSWORD)

    assert ["Sign in to link Sonos"] * 6 == sprayed
    assert [[WAIT], [SIGNED_IN]] == [neighbour, elsewhere]


async def test_page_that_asks_to_wait_tells_nothing(system: System) -> None:
    """429, Retry-After and the same words, whether anybody has that name or not."""
    pages = []
    for address, name in ((HOME, NAME), (MOBILE, "nobody-of-that-name")):
        async with browser(address) as person:
            for number in range(2):
                await sign_in(system, person, f"wrong {number}", name=name)
            pages.append(await sign_in(system, person, "wrong 3", name=name))
    waits = [int(page.headers["Retry-After"]) for page in pages]

    assert [429, 429] == [page.status for page in pages]
    assert pages[0].text == pages[1].text
    assert all(0 < wait <= 30 for wait in waits)
    assert set(pages[0].headers) == set(pages[1].headers)
    assert "In a browser in which you signed in before" in pages[0].text


async def enter(system: System, person: Person, password: str, *, path: str = "") -> Page:
    """Sign in on the household page, or on the one that erases, on the last gateway."""
    form = await person.open(f"{system.gateways[-1]}/household/default{path}")
    return await person.press(form, "Sign in", name=NAME, password=password)


async def test_household_page_has_the_same_budgets(system: System) -> None:
    """One wrong password there and one for a link, and everybody new at this network waits: there, to erase, and to link."""
    async with browser(HOME) as person:
        link = await sign_in(system, person, "wrong 1")
        wrong = await enter(system, person, "wrong 2")
        waiting = [await enter(system, person, PASSWORD, path=path) for path in ("", "/erase")]
        linking = await sign_in(system, person, PASSWORD)
        form = await person.follow(waiting[1], "Try again")
    async with browser(MOBILE) as elsewhere:
        there = await enter(system, elsewhere, PASSWORD)

    assert ("Sign in to link Sonos", 200) == (link.title, link.status)
    assert "That name and password do not match." in wrong.text
    assert [(WAIT, 429)] * 2 == [(page.title, page.status) for page in waiting]
    assert all(0 < int(page.headers["Retry-After"]) <= 30 for page in waiting)
    assert all("Sonos app" not in page.text for page in waiting)
    assert (WAIT, "Erase this account?") == (linking.title, form.title)
    assert "Your Sonos systems" == there.title
    recorded = await audits(system)
    assert (1, 1, 1) == tuple(
        recorded[kind] for kind in ("login.refused", "household.refused", "household.signed_in")
    )


async def test_erasing_has_the_same_budgets(system: System) -> None:
    """Whoever finds a browser signed in cannot guess the password on the page that asks for it once more."""
    async with browser(HOME) as person:
        home = await enter(system, person, PASSWORD)
        # What is wrong in the same second as the right password does not count.
        await execute(system.database_url, "UPDATE known_places SET since = since - 1")
        guesses = [await enter(system, person, f"guess {number}", path="/erase") for number in range(3)]
        still = await person.open(f"{system.gateways[-1]}/household/default")
    erasable = await execute(
        system.database_url, "SELECT 1 FROM visits WHERE purpose = 'erase' AND outcome = 'open'"
    )

    assert ["Your Sonos systems"] * 2 == [home.title, still.title]
    assert ["Erase this account?", "Erase this account?", WAIT] == [page.title for page in guesses]
    assert [] == erasable


async def test_who_was_on_the_household_page_does_not_wait_for_a_link(system: System) -> None:
    """Signing in there makes the browser known as well, for as long, and wherever it goes."""
    async with browser(HOME) as owner:
        await enter(system, owner, PASSWORD)
        ages = {cookie.key: cookie["max-age"] for cookie in owner.http.cookie_jar}
        for number in range(4):
            await tries(system, f"20.9.{number}.1", f"guess {number}")
        owner.http.headers["X-Forwarded-For"] = MOBILE
        away = await sign_in(system, owner, PASSWORD)

    assert str(180 * 86400) == ages["latchkey"]
    assert SIGNED_IN == away.title


@asynccontextmanager
async def household(
    system: System, service: str, address: str, name: str = "Sonos_a"
) -> AsyncIterator[Sonos]:
    """A household's Sonos somewhere."""
    async with aiohttp.ClientSession(headers={"X-Forwarded-For": address}) as http:
        yield Sonos(http, f"{system.gateways[0]}/smapi/{service}", household=name)


async def test_sessions_have_the_same_budgets(system: System) -> None:
    """getSessionId: wrong passwords are wrong; then everybody new is asked to come again, and who has a session keeps it."""
    async with household(system, "classic", HOME) as owner, household(system, "classic", CAFE) as thief:
        session = session_of((await owner.get_session_id(NAME, PASSWORD))["getSessionIdResult"])
        guessed = [(await thief.get_session_id(NAME, f"guess {number}")).fault for number in range(3)]
        right = (await thief.get_session_id(NAME, PASSWORD)).fault
        unknown = [(await thief.get_session_id("nobody", f"guess {number}")).fault for number in range(3)]
        kept = await owner.browse(session)
        at_home = await owner.get_session_id(NAME, PASSWORD)

    assert ["Client.LoginInvalid"] * 2 + [UNAVAILABLE] == guessed == unknown
    assert UNAVAILABLE == right
    assert [None, None] == [kept.fault, at_home.fault]
    recorded = await audits(system)
    assert (4, 2) == (recorded["session.refused"], recorded["session.opened"])


async def test_same_wrong_password_is_wrong_and_nothing_else(system: System) -> None:
    """A player that repeats a password which was changed is told so each time, so that the app asks for another; that one opens."""
    async with household(system, "header", HOME) as sonos:
        repeated = [(await sonos.browse(login_of(NAME, "changed"))).fault for _ in range(5)]
        session = [(await sonos.get_session_id(NAME, "changed")).fault]
        corrected = await sonos.browse(login_of(NAME, PASSWORD))

    assert ["Client.LoginInvalid"] * 5 == repeated
    assert ["Client.MethodNotSupported"] == session
    assert None is corrected.fault


async def test_logins_in_the_header_have_the_same_budgets(system: System) -> None:
    """A name and a password in every call: after two wrong ones a third is not looked at, and its answer unlinks nobody."""
    async with household(system, "header", CAFE) as thief, household(system, "header", HOME) as owner:
        guessed = [(await thief.browse(login_of(NAME, f"guess {number}"))).fault for number in range(3)]
        at_home = (await owner.browse(login_of(NAME, PASSWORD))).fault

    assert ["Client.LoginInvalid", "Client.LoginInvalid", UNAVAILABLE] == guessed
    assert None is at_home


async def test_upgrades_have_the_same_budgets(system: System) -> None:
    """A password in place of a token: wrong ones have to sign in anew; over the budget nobody is told so, and the pair comes at home."""
    async with household(system, "moved", CAFE) as thief, household(system, "moved", HOME) as owner:
        guessed = [(await thief.upgrade(login_of(NAME, f"guess {number}"))).fault for number in range(3)]
        upgraded = pair_of(await owner.upgrade(login_of(NAME, PASSWORD)))
        answer = await owner.root(upgraded)

    assert ["Client.AuthTokenExpired", "Client.AuthTokenExpired", UNAVAILABLE] == guessed
    assert None is answer.fault
    recorded = await audits(system)
    assert (2, 1) == (recorded["upgrade.refused"], recorded["upgrade.accepted"])


async def test_polls_and_tokens_know_no_budget(system: System) -> None:
    """With the tables of budgets gone, nobody signs in, and every poll and every token goes on."""
    async with browser(HOME) as person:
        sonos = Sonos(person.http, system.endpoint)
        link = await sonos.get_app_link()
        await person.complete(link.reg_url)
        pair = pair_of(await sonos.poll(link))
        unfinished = await sonos.get_app_link()
        form = await person.open(unfinished.reg_url)
        for table in ("sign_in_tries", "known_places"):
            await execute(system.database_url, f"DROP TABLE {table}")
        answers = [
            await sonos.poll(link),
            await sonos.root(pair),
            await sonos.call("refreshAuthToken", pair=pair),
        ]
        pending = await sonos.poll(unfinished)
        broken = await person.press(form, "Sign in", name=NAME, password=PASSWORD)

    assert [None] * 3 == [answer.fault for answer in answers]
    assert "Client.NOT_LINKED_RETRY" == pending.fault
    assert broken.status >= 500


@pytest.mark.parametrize(
    ("asked_from", "words"),
    [
        (HOME, "the network that this device is on"),
        ("20.1.1.250", "the network that this device is on"),
        (CAFE, "another network than this device is on. That is normal with mobile data"),
        ("192.168.1.7", None),
    ],
    ids=["same address", "same network", "another network", "not of the internet"],
)
async def test_person_sees_whether_the_request_came_from_here(
    system: System, asked_from: str, words: str | None
) -> None:
    """Before and after signing in; and nothing is said where nothing is known."""
    async with household(system, "default", asked_from) as sonos, browser(HOME) as person:
        sonos.endpoint = system.endpoint
        link = await sonos.get_app_link()
        before = await person.open(link.reg_url)
        after = await person.sign_in(link.reg_url)

    said = [(words in page.text) if words else ("network" not in page.text) for page in (before, after)]
    assert [True, True] == said
    assert ["Allow", "Decline"] == list(after.buttons)


async def test_getting_another_link_ends_the_one_nobody_uses(system: System) -> None:
    """Begun anew on the same device, the older page is over and its poll is told; the newer one links."""
    async with browser(HOME) as person:
        sonos = Sonos(person.http, system.endpoint)
        older = await sonos.get_app_link()
        await person.open(older.reg_url)
        await execute(system.database_url, "UPDATE links SET requested_at = requested_at - 15")
        newer = await sonos.get_app_link()
        done = await person.complete(newer.reg_url)
        over = await person.open(older.reg_url)
        polls = [(await sonos.poll(link)).fault for link in (older, newer)]

    assert "Your Sonos system is linked" == done.title
    assert "This link is not valid any more" == over.title
    assert ["Client.NOT_LINKED_FAILURE", None] == polls
    assert 1 == (await audits(system))["link.superseded"]


async def test_two_browsers_with_two_accounts_leave_both_on_record(system: System) -> None:
    """One wins, the other is told, and the audit has who signed in when."""
    await add_account(system, "bob", "password-of-bob")
    async with browser(HOME) as ann, browser(MOBILE) as bob:
        sonos = Sonos(ann.http, system.endpoint)
        link = await sonos.get_app_link()
        forms = [await person.open(link.reg_url) for person in (ann, bob)]
        confirm = await ann.press(forms[0], "Sign in", name=NAME, password=PASSWORD)
        late = await bob.press(forms[1], "Sign in", name="bob", password="password-of-bob")
        await ann.press(confirm, "Allow")
        told = await bob.open(link.reg_url)
        answer = await sonos.poll(link)
    rows = await execute(
        system.database_url,
        "SELECT nickname FROM audit_events JOIN accounts USING (account_id) WHERE kind = 'login.authenticated'",
    )

    assert ["This link is used in another browser"] * 2 == [late.title, told.title]
    assert "ann" == answer["nickname"]
    assert {("ann",), ("bob",)} == set(rows)
