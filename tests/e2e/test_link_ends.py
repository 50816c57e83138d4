"""The ways in which a link ends without a token, and what Sonos and the person are told."""

import pytest

from tests.play.database import execute
from tests.play.operator import System, add_account
from tests.play.person import Person
from tests.play.sonos import Sonos, pair_of

FAILURE = ("Client.NOT_LINKED_FAILURE", "6")


async def test_declined_on_the_first_page(embedded: System, sonos: Sonos, person: Person) -> None:
    """Nobody needs to sign in to say no."""
    link = await sonos.get_app_link()
    page = await person.press(await person.open(link.reg_url), "Decline")
    answer = await sonos.poll(link)

    assert "You declined" == page.title
    assert FAILURE == (answer.fault, answer["SonosError"])


async def test_declined_after_signing_in(embedded: System, sonos: Sonos, person: Person) -> None:
    """Having signed in binds nobody to anything."""
    link = await sonos.get_app_link()
    page = await person.press(await person.sign_in(link.reg_url), "Decline")
    answer = await sonos.poll(link)

    assert "You declined" == page.title
    assert FAILURE == (answer.fault, answer["SonosError"])


async def test_wrong_passwords_burn_the_link(embedded: System, sonos: Sonos, person: Person) -> None:
    """Four wrong passwords are told how many tries are left; the fifth ends the link, and the right one is too late."""
    link = await sonos.get_app_link()
    pages = [await person.sign_in(link.reg_url, password="wrong") for _ in range(5)]
    answer = await sonos.poll(link)

    assert "You have 4 more tries." in pages[0].text
    assert "You have one more try." in pages[3].text
    assert "Too many wrong passwords" == pages[4].title
    assert FAILURE == (answer.fault, answer["SonosError"])
    assert "Too many wrong passwords" == (await person.open(link.reg_url)).title


async def test_unknown_name_and_wrong_password_look_the_same(
    embedded: System, sonos: Sonos, person: Person
) -> None:
    """The page does not tell who has an account."""
    links = [await sonos.get_app_link() for _ in range(2)]
    wrong = await person.sign_in(links[0].reg_url, password="wrong")
    unknown = await person.sign_in(links[1].reg_url, name="nobody-of-that-name")

    assert wrong.text == unknown.text


async def test_expired(embedded: System, sonos: Sonos, person: Person) -> None:
    """By the database's clock: neither page nor poll go on."""
    link = await sonos.get_app_link()
    confirm = await person.sign_in(link.reg_url)
    await execute(embedded.database_url, "UPDATE links SET expires_at = requested_at - 1")
    page = await person.press(confirm, "Allow")
    answer = await sonos.poll(link)

    assert "This link is not valid any more" == page.title
    assert FAILURE == (answer.fault, answer["SonosError"])


async def test_delivery_ends_with_the_link(embedded: System, sonos: Sonos, person: Person) -> None:
    """The pair is given again and again, but not for ever."""
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)
    delivered = await sonos.poll(link)
    await execute(embedded.database_url, "UPDATE links SET expires_at = requested_at - 1")
    answer = await sonos.poll(link)

    assert delivered.fault is None
    assert FAILURE == (answer.fault, answer["SonosError"])


@pytest.mark.parametrize(
    "changes",
    [
        {"linkDeviceId": "d" + "0" * 31},
        {"linkDeviceId": ""},
        {"linkCode": "k" + "0" * 31},
        {"linkCode": ""},
        {"linkCode": "not-a-code"},
    ],
    ids=["wrong device id", "no device id", "forged code", "no code", "nonsense"],
)
async def test_poll_that_can_never_succeed(
    embedded: System, sonos: Sonos, person: Person, changes: dict[str, str]
) -> None:
    """Without the genuine code and its hidden half nobody gets the pair, though it is there."""
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)
    answer = await sonos.poll(link, **changes)

    assert FAILURE == (answer.fault, answer["SonosError"])


async def test_second_browser_finds_the_link_taken(embedded: System, sonos: Sonos, person: Person) -> None:
    """Whoever signs in first has the link; another browser sees nothing of it and cannot approve it."""
    await add_account(embedded, "bob", "password-of-bob")
    link = await sonos.get_app_link()
    async with Person() as thief:
        early = await thief.open(link.reg_url)
        confirm = await person.sign_in(link.reg_url)
        late = await thief.press(early, "Sign in", name="bob", password="password-of-bob")
        assert "This link is used in another browser" == late.title
        assert "ann" not in late.text
        forged = {"form_token": early.buttons["Sign in"].fields["form_token"]}
        async with thief.http.post(f"{link.reg_url}/approve", data=forged):
            pending = await sonos.poll(link)
    await person.press(confirm, "Allow")
    answer = await sonos.poll(link)

    assert "Client.NOT_LINKED_RETRY" == pending.fault
    assert "ann" == answer["nickname"]


async def test_form_of_another_browser_is_refused(embedded: System, sonos: Sonos, person: Person) -> None:
    """A form that was served to somebody else does nothing (CSRF)."""
    link = await sonos.get_app_link()
    confirm = await person.sign_in(link.reg_url)
    token = confirm.buttons["Allow"].fields["form_token"]
    async with Person() as thief:
        await thief.open(link.reg_url)
        async with thief.http.post(f"{link.reg_url}/approve", data={"form_token": token}) as response:
            status = response.status
    answer = await sonos.poll(link)

    assert 403 == status
    assert "Client.NOT_LINKED_RETRY" == answer.fault


async def test_person_may_sign_in_as_somebody_else(embedded: System, sonos: Sonos, person: Person) -> None:
    """Until it is allowed, the same browser may change the account."""
    await add_account(embedded, "bob", "password-of-bob")
    link = await sonos.get_app_link()
    form = await person.open(link.reg_url)
    await person.sign_in(link.reg_url)
    confirm = await person.press(form, "Sign in", name="bob", password="password-of-bob")
    await person.press(confirm, "Allow")
    answer = await sonos.poll(link)

    assert "bob" == answer["nickname"]


async def test_disabled_account_gets_no_token(embedded: System, sonos: Sonos, person: Person) -> None:
    """Disabled between sign-in and approval: checked again when the token would be minted."""
    link = await sonos.get_app_link()
    confirm = await person.sign_in(link.reg_url)
    await execute(embedded.database_url, "UPDATE accounts SET status = 'disabled'")
    await person.press(confirm, "Allow")
    answer = await sonos.poll(link)

    assert FAILURE == (answer.fault, answer["SonosError"])


async def test_disabled_account_is_asked_to_link_again(
    embedded: System, sonos: Sonos, person: Person
) -> None:
    """A disabled account's token gets no successor."""
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)
    pair = pair_of(await sonos.poll(link))
    await execute(embedded.database_url, "UPDATE accounts SET status = 'disabled'")
    answer = await sonos.call("refreshAuthToken", pair=pair)

    assert "Client.AuthTokenExpired" == answer.fault


async def test_our_own_failure_shows_nothing_but_a_reference(
    embedded: System, sonos: Sonos, person: Person
) -> None:
    """A delivery that does not open is our fault: Sonos gets a reference, and the log the cause under it."""
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)
    await execute(embedded.database_url, "UPDATE deliveries SET sealed = X'00'")
    answer = await sonos.poll(link)
    reference = answer["faultstring"].rpartition(" ")[2]

    assert "Server.ServiceUnknownError" == answer.fault
    assert reference in embedded.logs()
    assert "SealError" in embedded.logs()
    assert b"Seal" not in answer.raw
