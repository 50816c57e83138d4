"""A household links, from Sonos's first call to its first authenticated one, in every form of deployment."""

import re

from tests.play.operator import System
from tests.play.person import Person
from tests.play.sonos import CALLBACK, Pair, Sonos, pair_of


async def test_household_links(system: System, sonos: Sonos, person: Person) -> None:
    """Sonos asks, polls, and once the person has signed in and allowed it, gets a pair that works."""
    link = await sonos.get_app_link()
    pending = await sonos.poll(link)
    confirm = await person.sign_in(link.reg_url)
    still_pending = await sonos.poll(link)
    done = await person.press(confirm, "Allow")
    answer = await sonos.poll(link)
    again = await sonos.poll(link)
    root = await sonos.root(pair_of(answer))

    assert ["Client.NOT_LINKED_RETRY"] * 2 == [pending.fault, still_pending.fault]
    assert "5" == pending["SonosError"]
    assert ("Your Sonos system is linked", CALLBACK) == (done.title, done.way_back)
    assert re.fullmatch(r"[0-9a-f]{32}", answer["userIdHashCode"])
    assert "ann" == answer["nickname"]
    assert pair_of(answer) == pair_of(again)
    assert "Linked to Latchkey as ann" == root["title"]


async def test_link_started_on_one_gateway_is_finished_on_another(
    processes: System, sonos: Sonos, person: Person
) -> None:
    """Nothing of a link lives in a gateway: code from the first, pages on the second, polls on both."""
    elsewhere = Sonos(sonos.http, f"{processes.gateways[1]}/smapi")
    link = await sonos.get_app_link()
    done = await person.complete(link.reg_url.replace(processes.gateways[0], processes.gateways[1]))
    answers = [await sonos.poll(link), await elsewhere.poll(link)]
    root = await elsewhere.root(pair_of(answers[0]))

    assert "Your Sonos system is linked" == done.title
    assert pair_of(answers[0]) == pair_of(answers[1])
    assert root.fault is None


async def test_link_survives_the_restart_of_everything(
    processes: System, sonos: Sonos, person: Person
) -> None:
    """A restart in the middle of a link, of every process there is, loses nothing."""
    link = await sonos.get_app_link()
    confirm = await person.sign_in(link.reg_url)
    address = processes.gateways[0].removeprefix("http://")
    for process in processes.processes:
        process.stop()
    del processes.processes[:], processes.gateways[1:]
    processes.start("gateway-again", ("-m", "gateway"), LATCHKEY_LISTEN=address)
    processes.start("auth-worker-again", ("-m", "auth_worker"))
    processes.start("token-worker-again", ("-m", "token_worker"))
    await processes.ready()
    await person.press(confirm, "Allow")
    answer = await sonos.poll(link)

    assert answer.fault is None, answer.raw


async def test_legacy_device_link(embedded: System, sonos: Sonos, person: Person) -> None:
    """getDeviceLinkCode is the same link: same page, same polls, same pair."""
    from tests.play.sonos import Link

    answer = await sonos.call("getDeviceLinkCode", {"householdId": sonos.household})
    link = Link(reg_url=answer["regUrl"], code=answer["linkCode"], device_id=answer["linkDeviceId"])
    await person.complete(link.reg_url)
    polled = await sonos.poll(link)

    assert "false" == answer["showLinkCode"]
    assert (await sonos.root(pair_of(polled))).fault is None


async def test_token_is_found_wherever_sonos_puts_it(embedded: System, sonos: Sonos, person: Person) -> None:
    """In the SOAP header, with and without the key, or in Authorization: Bearer."""
    pair = await link_household(sonos, person)
    answers = [
        await sonos.root(pair),
        await sonos.call("getUserInfo", pair=pair, send_key=False),
        await sonos.root(pair, bearer=True),
        await sonos.call("getLastUpdate", pair=pair),
        await sonos.call("reportAccountAction", {"type": "addAccount"}, pair=pair),
    ]

    assert [None] * 5 == [answer.fault for answer in answers]
    assert ("60", "1") == (answers[3]["pollInterval"], answers[3]["catalog"])


async def test_user_id_is_the_same_for_every_household_of_an_account(
    embedded: System, sonos: Sonos, person: Person
) -> None:
    """userIdHashCode belongs to the account: same in every system, in the link's answer and in getUserInfo."""
    other = Sonos(sonos.http, sonos.endpoint, household="Sonos_AnotherHouseholdOfTheSamePerson")
    pairs = [await link_household(sonos, person), await link_household(other, person)]
    hashes = {(await sonos.call("getUserInfo", pair=pair))["userIdHashCode"] for pair in pairs}

    assert len(hashes) == 1


async def test_refreshing_gives_everybody_the_same_successor(
    embedded: System, sonos: Sonos, person: Person
) -> None:
    """However often the old pair is presented, the answer is the one successor, and that works."""
    pair = await link_household(sonos, person)
    successors = {pair_of(await sonos.call("refreshAuthToken", pair=pair)) for _ in range(3)}
    (successor,) = successors

    assert successor != pair
    assert (await sonos.root(successor)).fault is None


async def test_linking_again_ends_the_earlier_token(embedded: System, sonos: Sonos, person: Person) -> None:
    """The household that links again has one live family: the old token asks for reauthorization."""
    before = await link_household(sonos, person)
    after = await link_household(sonos, person)
    old = await sonos.root(before)

    assert "Client.AuthTokenExpired" == old.fault
    assert "SonosError" not in old.values
    assert (await sonos.root(after)).fault is None


async def link_household(sonos: Sonos, person: Person) -> Pair:
    link = await sonos.get_app_link()
    await person.complete(link.reg_url)
    return pair_of(await sonos.poll(link))
