"""A person reads a short code off one device and types it on another."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.conftest import start_separately
from tests.play.database import execute
from tests.play.operator import EMBEDDED, PATIENCE, System, add_account, deployment
from tests.play.person import Page, Person
from tests.play.sonos import Link, Sonos

FAILURE = ("Client.NOT_LINKED_FAILURE", "6")
MADE_UP = "BBBBBBBB"


@pytest.fixture(params=["embedded", pytest.param("processes", marks=pytest.mark.services)])
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """A deployment behind one proxy, whose service has typed codes."""
    separate = request.param == "processes"
    config = tmp_path / "latchkey.toml"
    config.write_text("trusted_proxies = 1\n[services.default]\ntyped_codes = true\n")
    with deployment(
        tmp_path,
        database_url=request.getfixturevalue("postgres_url" if separate else "sqlite_url"),
        broker_url=request.getfixturevalue("rabbit_url") if separate else "memory://",
        extra={"LATCHKEY_CONFIG": str(config)},
    ) as prepared:
        await add_account(prepared)
        if separate:
            start_separately(prepared)
        else:
            prepared.start_gateway("embedded", ("-c", EMBEDDED))
        await prepared.ready()
        yield prepared


async def ask(sonos: Sonos, system: System) -> Link:
    """Begin to add the service as a controller without a browser does; nobody types faster than the row is written."""
    before = await codes(system)
    answer = await sonos.call("getDeviceLinkCode", {"householdId": sonos.household})
    assert "true" == answer["showLinkCode"]
    async with asyncio.timeout(PATIENCE):
        while await codes(system) == before:
            await asyncio.sleep(0.01)
    return Link(reg_url=answer["regUrl"], code=answer["linkCode"], device_id=answer["linkDeviceId"])


async def codes(system: System) -> object:
    """Return how many typed codes there are."""
    ((count,),) = await execute(system.database_url, "SELECT count(*) FROM typed_codes")
    return count


async def type_code(person: Person, link: Link, code: str) -> Page:
    """Open the page that Sonos names, and type."""
    return await person.press(await person.open(link.reg_url), "Go on", code=code)


async def test_household_links_by_a_typed_code(system: System, sonos: Sonos, person: Person) -> None:
    """The page of the code does not hold it; typed in any way, it leads to the link, and Sonos gets its pair."""
    link = await ask(sonos, system)
    pending = await sonos.poll(link)
    sign_in = await type_code(person, link, f" {link.code[:4].lower()} - {link.code[4:]}")
    confirm = await person.press(sign_in, "Sign in", name="ann", password="canary-password-of-ann")
    done = await person.press(confirm, "Allow")
    answer = await sonos.poll(link)

    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{8}", link.code)
    assert f"{system.gateways[0]}/enter" == link.reg_url
    assert "Client.NOT_LINKED_RETRY" == pending.fault
    assert ("Sign in to link Sonos", "Your Sonos system is linked") == (sign_in.title, done.title)
    assert (None, "ann") == (answer.fault, answer["nickname"])


async def test_code_is_typed_on_another_gateway(system: System, sonos: Sonos, person: Person) -> None:
    """Nothing of a typed code lives in a gateway: asked of the first, typed on the last."""
    link = await ask(sonos, system)
    elsewhere = link.reg_url.replace(system.gateways[0], system.gateways[-1])
    page = await type_code(person, Link(reg_url=elsewhere, code="", device_id=""), link.code)

    assert "Sign in to link Sonos" == page.title


async def test_what_the_browser_learns_fetches_no_token(system: System, sonos: Sonos, person: Person) -> None:
    """Neither the typed code, nor the address it leads to, nor another link's hidden half stand in for Sonos's own."""
    link, other = await ask(sonos, system), await ask(sonos, system)
    sign_in = await type_code(person, link, link.code)
    await person.complete(sign_in.url)
    code = sign_in.url.rpartition("/")[2]
    hidden = other.device_id.partition(".")[2]
    polls = [
        await sonos.poll(link, linkDeviceId=""),
        await sonos.poll(link, linkDeviceId=code),
        await sonos.poll(link, linkDeviceId=f"{code}."),
        await sonos.poll(link, linkDeviceId=f"{code}.{hidden}"),
        await sonos.poll(link, linkDeviceId=other.device_id),
        await sonos.poll(link, linkCode=other.code),
        await sonos.poll(link, linkCode=link.code[:-1]),
        await sonos.poll(link, linkCode=code, linkDeviceId=""),
        await sonos.poll(link, linkCode=code),
    ]

    assert code == link.device_id.partition(".")[0]
    assert [FAILURE] * len(polls) == [(poll.fault, poll["SonosError"]) for poll in polls]
    assert (await sonos.poll(link)).fault is None


async def test_made_up_and_expired_codes_get_the_same_answer(
    system: System, sonos: Sonos, person: Person
) -> None:
    """Nobody learns from the page whether a code was ever issued, or whether it could have been."""
    link = await ask(sonos, system)
    await type_code(person, link, link.code)
    await execute(system.database_url, "UPDATE typed_codes SET expires_at = 1")
    pages = [await type_code(person, link, code) for code in (link.code, MADE_UP, "aeiou", "0" * 99)]
    shown = {(page.status, page.text, page.tree.xpath("string(//form/@action)")) for page in pages}

    assert 1 == len(shown)
    assert "No Sonos system is waiting for this code" in pages[0].text


async def test_guesses_of_a_browser_are_bounded(system: System, sonos: Sonos, person: Person) -> None:
    """After five wrong codes, with a right one among them, the browser has to wait; everybody else goes on."""
    link = await ask(sonos, system)
    pages = [
        await type_code(person, link, code)
        for code in (*[MADE_UP] * 4, link.code, MADE_UP, MADE_UP, link.code)
    ]
    over = pages[-1]
    polled = await sonos.poll(link)
    async with Person() as neighbour:
        reached = await type_code(neighbour, link, link.code)

    assert [200] * 6 + [429] * 2 == [page.status for page in pages]
    assert "Sign in to link Sonos" == pages[4].title
    assert "Too many codes that do not fit" == over.title
    assert 0 < int(over.headers["Retry-After"]) <= 600
    assert "Client.NOT_LINKED_RETRY" == polled.fault
    assert "Sign in to link Sonos" == reached.title


async def test_guesses_of_a_network_are_bounded(system: System, sonos: Sonos) -> None:
    """New cookies do not help: twenty wrong codes from one address prefix are enough, and no other prefix suffers."""
    link = await ask(sonos, system)
    statuses = []
    for number in range(5):
        async with Person() as thief:
            thief.http.headers["X-Forwarded-For"] = f"6.6.6.6, 198.51.100.{number}"
            statuses += [(await type_code(thief, link, MADE_UP)).status for _ in range(5)]
    async with Person() as somebody:
        somebody.http.headers["X-Forwarded-For"] = "198.51.100.77, 203.0.113.1"
        reached = await type_code(somebody, link, link.code)

    assert [200] * 20 + [429] * 5 == statuses
    assert "Sign in to link Sonos" == reached.title


async def test_form_and_entry_belong_to_their_browser(system: System, sonos: Sonos, person: Person) -> None:
    """A form that another browser was served is refused, and the address of an entry opens nothing elsewhere."""
    link = await ask(sonos, system)
    form = await person.open(link.reg_url)
    token = form.buttons["Go on"].fields["form_token"]
    fields = {"form_token": token, "code": link.code}
    async with person.http.post(link.reg_url, data=fields, allow_redirects=False) as response:
        entry = response.headers["Location"]
    async with Person() as thief:
        await thief.open(link.reg_url)
        async with thief.http.post(link.reg_url, data=fields) as response:
            refused = response.status
        elsewhere = await thief.open(f"{system.gateways[0]}{entry}")
    own = await person.open(f"{system.gateways[0]}{entry}")

    assert 403 == refused
    assert ("Type the code that Sonos shows", "Sign in to link Sonos") == (elsewhere.title, own.title)


async def test_app_link_needs_no_typing(system: System, sonos: Sonos, person: Person) -> None:
    """The page of getAppLink is opened by the asking device, so its code stays the long one."""
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)

    assert (32, None) == (len(link.code), (await sonos.poll(link)).fault)


async def test_rows_and_logs_open_nothing(system: System, sonos: Sonos, person: Person) -> None:
    """Neither the typed code, nor the code behind it, nor the hidden half is in the rows or in the logs."""
    link = await ask(sonos, system)
    await type_code(person, link, link.code)
    await type_code(person, link, MADE_UP)
    code, _, hidden = link.device_id.partition(".")
    rows = [
        str(row)
        for table in ("links", "typed_codes", "code_entries", "audit_events")
        for row in await execute(system.database_url, f"SELECT * FROM {table}")
    ]
    spilt = "".join(rows) + system.logs()

    assert len(rows) >= 4
    assert [] == [secret for secret in (link.code, code, hidden, MADE_UP) if secret in spilt]


async def test_service_without_typed_codes_has_no_such_page(
    embedded: System, sonos: Sonos, person: Person
) -> None:
    """Where nobody is shown a short code, there is nowhere to try some."""
    async with person.http.get(f"{embedded.gateways[0]}/enter") as response:
        status = response.status
    answer = await sonos.call("getDeviceLinkCode", {"householdId": sonos.household})

    assert (404, "false", 32) == (status, answer["showLinkCode"], len(answer["linkCode"]))
