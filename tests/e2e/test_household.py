"""A person looks after what is linked: sees, unlinks, downloads, erases; in every form of deployment where it matters."""

import asyncio
import json

import pytest

from tests.play.database import execute
from tests.play.operator import System, add_account
from tests.play.person import PATIENCE, Page, Person
from tests.play.sonos import Pair, Sonos, pair_of

HOME = "Your Sonos systems"
WAY_IN = "Sign in to see your Sonos systems"


async def linked(sonos: Sonos, person: Person) -> Pair:
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)
    return pair_of(await sonos.poll(link))


async def entered(system: System, person: Person, *, path: str = "/household", **changes: str) -> Page:
    page = await person.open(f"{system.gateways[0]}{path}")
    values = {"name": "ann", "password": "canary-password-of-ann"} | changes
    return await person.press(page, "Sign in", **values)


async def until_visits_are(system: System, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(await execute(system.database_url, "SELECT 1 FROM visits")) != number:
            await asyncio.sleep(0.02)


async def test_person_sees_and_unlinks(system: System, sonos: Sonos, person: Person) -> None:
    """When, from what, from where; and the first call after "Unlink now" is refused."""
    pair = await linked(sonos, person)
    home = await entered(system, person)
    alive = await sonos.root(pair)
    after = await person.press(home, "Unlink now")
    dead = await sonos.root(pair)

    assert HOME == home.title
    assert all(
        words in home.text
        for words in ("ending in PBHD", "an iPhone", "127.0.0.x", "A Sonos system was linked")
    )
    assert alive.fault is None
    assert "Client.AuthTokenExpired" == dead.fault
    assert "It is unlinked." in after.text
    assert "No Sonos system is linked to this account." in after.text
    assert "A Sonos system was unlinked" in after.text


async def test_all_are_unlinked_at_once(embedded: System, sonos: Sonos, person: Person) -> None:
    """Every household of this account, and none of another's."""
    await add_account(embedded, "bob", "password-of-bob")
    houses = [Sonos(sonos.http, sonos.endpoint, household=f"Sonos_household{number}") for number in range(3)]
    pairs = [await linked(house, person) for house in houses]
    async with Person() as bob:
        link = await sonos.get_app_link()
        confirm = await bob.sign_in(link.reg_url, name="bob", password="password-of-bob")
        await bob.press(confirm, "Allow")
        bobs = pair_of(await sonos.poll(link))
    home = await entered(embedded, person)
    after = await person.press(home, "Unlink all now")
    dead = [(await house.root(pair)).fault for house, pair in zip(houses, pairs, strict=True)]

    assert ["Client.AuthTokenExpired"] * 3 == dead
    assert "No Sonos system is linked" in after.text
    assert (await sonos.root(bobs)).fault is None


async def test_nobody_unlinks_what_is_not_theirs(embedded: System, sonos: Sonos, person: Person) -> None:
    """A grant of another account in the form is as unknown as one that never was."""
    pair = await linked(sonos, person)
    ((grant_id,),) = await execute(embedded.database_url, "SELECT grant_id FROM grants")
    await add_account(embedded, "bob", "password-of-bob")
    async with Person() as bob:
        home = await entered(embedded, bob, name="bob", password="password-of-bob")
        sign_out = home.buttons["Sign out"]
        form = {**dict(sign_out.fields), "grant": str(grant_id)}
        address = f"{embedded.gateways[0]}/household/default/unlink"
        async with bob.http.post(address, data=form) as response:
            assert 200 == response.status

    assert (await sonos.root(pair)).fault is None


async def test_wrong_password_says_so_and_opens_nothing(embedded: System, person: Person) -> None:
    """With the form to try again; afterwards the page is as closed as before."""
    page = await entered(embedded, person, password="wrong")
    again = await person.open(f"{embedded.gateways[0]}/household")

    assert (WAY_IN, True) == (page.title, "That name and password do not match." in page.text)
    assert WAY_IN == again.title


async def test_signed_out_is_signed_out(embedded: System, person: Person) -> None:
    """The row is gone, so that a copy of the cookie opens nothing either."""
    home = await entered(embedded, person)
    cookies = {cookie.key: cookie.value for cookie in person.http.cookie_jar}
    out = await person.press(home, "Sign out")
    async with Person() as thief:
        thief.http.cookie_jar.update_cookies(cookies)
        stolen = await thief.open(f"{embedded.gateways[0]}/household")

    assert (WAY_IN, True) == (out.title, "You are signed out." in out.text)
    assert WAY_IN == stolen.title
    assert [] == await execute(embedded.database_url, "SELECT 1 FROM visits")


async def test_visit_ends_with_the_next_sign_in(embedded: System, person: Person) -> None:
    """In the same browser, where the new one takes its place: a copy of the old cookie opens nothing."""
    home = await entered(embedded, person)
    cookies = {cookie.key: cookie.value for cookie in person.http.cookie_jar}
    form = dict(home.buttons["Sign out"].fields)
    form |= {"provider": "local", "name": "ann", "password": "canary-password-of-ann"}
    async with person.http.post(f"{embedded.gateways[0]}/household/default/sign-in", data=form) as response:
        assert 200 == response.status, await response.text()
    again = await person.open(f"{embedded.gateways[0]}/household")
    await until_visits_are(embedded, 1)
    async with Person() as thief:
        thief.http.cookie_jar.update_cookies(cookies)
        stolen = await thief.open(f"{embedded.gateways[0]}/household")

    assert (HOME, WAY_IN) == (again.title, stolen.title)


async def test_signing_out_ends_a_proof_for_erasing_too(embedded: System, person: Person) -> None:
    """By the button of either page, which the one that erases has as well, with a visit beside the proof or without."""
    erase = "/household/default/erase"
    home = await entered(embedded, person)
    await entered(embedded, person, path=erase)
    await person.press(home, "Sign out")
    await until_visits_are(embedded, 0)
    proof = await entered(embedded, person, path=erase)
    out = await person.press(proof, "Sign out")
    await until_visits_are(embedded, 0)
    closed = await person.open(f"{embedded.gateways[0]}{erase}")

    assert "You are signed out." in out.text
    assert "Sign in once more" in closed.text


async def test_visit_ends_when_nobody_was_there(embedded: System, person: Person) -> None:
    """After thirty minutes without a request, and the page says why."""
    home = await entered(embedded, person)
    await execute(
        embedded.database_url, "UPDATE visits SET used_at = used_at - 1801, expires_at = expires_at - 1801"
    )
    later = await person.open(home.url.partition("?")[0])
    refused = await person.press(home, "Sign out")

    assert (WAY_IN, True) == (later.title, "Your visit is over." in later.text)
    assert WAY_IN == refused.title


async def test_form_from_elsewhere_does_nothing(embedded: System, sonos: Sonos, person: Person) -> None:
    """Without the token of this browser and this visit, also with the right cookies."""
    pair = await linked(sonos, person)
    await entered(embedded, person)
    statuses = []
    for path in ("unlink", "sign-out", "erase", "sign-in", "erase/sign-in"):
        address = f"{embedded.gateways[0]}/household/default/{path}"
        async with person.http.post(address, data={"grant": "all", "form_token": "0" * 64}) as response:
            statuses.append(response.status)

    assert [403] * 5 == statuses
    assert (await sonos.root(pair)).fault is None


async def test_download_holds_everything_and_no_secret(
    embedded: System, sonos: Sonos, person: Person
) -> None:
    """Account, systems and events; signed in only."""
    pair = await linked(sonos, person)
    home = await entered(embedded, person)
    address = f"{embedded.gateways[0]}/household/default/download"
    async with person.http.get(address) as response:
        text = await response.text()
        disposition = response.headers["Content-Disposition"]
    async with Person() as stranger:
        refused = await stranger.open(address)
    content = json.loads(text)

    assert HOME == home.title
    assert 'attachment; filename="default-account.json"' == disposition
    assert ("ann", sonos.household) == (content["account"]["nickname"], content["systems"][0]["household"])
    assert "link.linked" in [event["kind"] for event in content["events"]]
    assert WAY_IN == refused.title
    assert not any(secret in text for secret in (pair.token, pair.key, "canary-password-of-ann"))


async def test_erasing_takes_a_fresh_proof_and_leaves_a_skeleton(
    system: System, sonos: Sonos, person: Person
) -> None:
    """Grants, account, user and sessions are gone, tokens dead; the audit keeps what happened, and to nobody in particular."""
    pair = await linked(sonos, person)
    await entered(system, person)
    asked = await person.open(f"{system.gateways[0]}/household/default/erase")
    confirm = await entered(system, person, path="/household/default/erase")
    done = await person.press(confirm, "Erase")
    dead = await sonos.root(pair)
    audit = await execute(
        system.database_url,
        "SELECT kind FROM audit_events WHERE household_id IS NOT NULL OR detail NOT IN ('{}')",
    )
    signed_in = await entered(system, person)
    left = {
        table: await execute(system.database_url, f"SELECT 1 FROM {table}")
        for table in ("grants", "grant_origins", "accounts", "local_users", "sessions")
    }
    kinds = [kind for (kind,) in await execute(system.database_url, "SELECT kind FROM audit_events")]

    assert "Sign in once more" in asked.text
    assert "Erase" not in asked.buttons
    assert "Your account is erased" == done.title
    assert "Client.AuthTokenExpired" == dead.fault
    assert "That name and password do not match." in signed_in.text
    assert {table: [] for table in left} == left
    assert [] == audit
    assert {"link.requested", "link.linked", "account.erased", "household.refused"} <= set(kinds)


@pytest.mark.parametrize("path", ["/household/nobody", "/household/default/nothing"])
async def test_what_is_not_there_has_a_page_of_its_own(embedded: System, person: Person, path: str) -> None:
    """In words, with the status of what it is."""
    page = await person.open(f"{embedded.gateways[0]}{path}")

    assert 404 == page.status
