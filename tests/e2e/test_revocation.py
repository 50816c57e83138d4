"""The end of a grant, by each way there is: every gateway refuses its tokens at once, and only its own."""

from pathlib import Path

import pytest

from tests.e2e.conftest import started
from tests.e2e.test_link import link_household
from tests.play.database import execute
from tests.play.operator import System, add_account
from tests.play.past import stale_token
from tests.play.person import NAME, Person
from tests.play.sonos import Pair, Sonos, pair_of

EXPIRED = "Client.AuthTokenExpired"


async def test_grants_are_revoked_by_each_way(system: System, sonos: Sonos, person: Person) -> None:
    """By grant, account, household and all: each ends the token, and linking again gives one that works."""
    outcomes = []
    for column in ("grant_id", "account_id", "household_id", None):
        pair = await link_household(sonos, person)
        before = await sonos.root(pair)
        ((value,),) = await execute(system.database_url, f"SELECT {column or 'NULL'} FROM grants")
        options = [f"--{column.removesuffix('_id')}", str(value)] if column else ["--all", "--yes"]
        await system.run("grants", "revoke", *options)
        await system.until_all_grants_ended()
        outcomes.append((before.fault, (await sonos.root(pair)).fault))

    assert [(None, EXPIRED)] * 4 == outcomes


async def test_revoked_token_is_refused_at_every_gateway(
    processes: System, sonos: Sonos, person: Person
) -> None:
    """Both gateways refuse it, through both doors, without a SonosError, which would stop Sonos from asking to link again."""
    pair = await link_household(sonos, person)
    await processes.run("grants", "revoke", "--all", "--yes")
    await processes.until_all_grants_ended()
    elsewhere = Sonos(sonos.http, f"{processes.gateways[1]}/smapi")
    answers = [
        await sonos.root(pair),
        await elsewhere.root(pair),
        await elsewhere.call("refreshAuthToken", pair=pair),
    ]

    assert [EXPIRED] * 3 == [answer.fault for answer in answers]
    assert all(b"SonosError" not in answer.raw for answer in answers)


async def test_many_are_revoked_page_by_page(processes: System, sonos: Sonos, person: Person) -> None:
    """More than fit into one transaction, among them one that is in use; the list says what became of them."""
    pair = await link_household(sonos, person)
    columns = (
        "service, account_id, status, family, generation, signing_key_id, derivation_key_id, issued_at, expires_at, "
        "seen_generation, family_started_at, used_at, version"
    )
    await execute(
        processes.database_url,
        f"INSERT INTO grants (grant_id, household_id, {columns}) "
        f"SELECT 'g' || n, 'h' || n, {columns} FROM grants, generate_series(1, 450) n",
    )
    said = await processes.run("grants", "revoke", "--all", "--yes")
    await processes.until_all_grants_ended()
    answer = await sonos.root(pair)
    listed = await processes.run("grants", "list", "--household", "h7")

    assert "token_worker was told to revoke; `latchkey grants list` shows what is done\n" == said
    assert EXPIRED == answer.fault
    assert "revoked" in listed


async def test_linking_again_ends_the_old_family_everywhere(
    processes: System, sonos: Sonos, person: Person
) -> None:
    """The grant stays, the old pair is dead at both gateways with the very next call, and the new one works at both."""
    old = await link_household(sonos, person)
    elsewhere = Sonos(sonos.http, f"{processes.gateways[1]}/smapi")
    await elsewhere.root(old)
    new = await link_household(sonos, person)
    answers = [await one.root(pair) for pair in (old, new) for one in (sonos, elsewhere)]
    rows = await execute(processes.database_url, "SELECT family, status FROM grants")

    assert [EXPIRED, EXPIRED, None, None] == [answer.fault for answer in answers]
    assert [(2, "active")] == rows


async def test_another_account_links_beside_the_first(embedded: System, sonos: Sonos, person: Person) -> None:
    """Two people of one household: both tokens work, and each is its own person's."""
    await add_account(embedded, "bob", "password-of-bob")
    anns = await link_household(sonos, person)
    link = await sonos.get_app_link()
    async with Person() as bob:
        await bob.complete(link.reg_url, name="bob", password="password-of-bob")
    bobs = pair_of(await sonos.poll(link))
    answers = [await sonos.call("getUserInfo", pair=pair) for pair in (anns, bobs)]

    assert [NAME, "bob"] == [answer["nickname"] for answer in answers]


async def test_revoking_one_account_leaves_the_other(embedded: System, sonos: Sonos, person: Person) -> None:
    """An account's end in a household is not its neighbour's."""
    await add_account(embedded, "bob", "password-of-bob")
    anns = await link_household(sonos, person)
    link = await sonos.get_app_link()
    async with Person() as bob:
        await bob.complete(link.reg_url, name="bob", password="password-of-bob")
    bobs = pair_of(await sonos.poll(link))
    ((account_id,),) = await execute(
        embedded.database_url, "SELECT account_id FROM accounts WHERE nickname = 'bob'"
    )
    await embedded.run("grants", "revoke", "--account", str(account_id))
    answers = [await sonos.root(pair) for pair in (anns, bobs)]

    assert [None, EXPIRED] == [answer.fault for answer in answers]


async def test_disabled_account_is_refused_everywhere(system: System, sonos: Sonos, person: Person) -> None:
    """Its token at once, its successor, and its sign-in, which looks like a wrong password; enabled, it links again."""
    pair = await link_household(sonos, person)
    await system.run("accounts", "disable", NAME)
    used = await sonos.root(pair)
    renewed = await sonos.call("refreshAuthToken", pair=pair)
    wrong, disabled = [await sonos.get_app_link() for _ in range(2)]
    wrong_page = await person.sign_in(wrong.reg_url, password="not-the-password")
    disabled_page = await person.sign_in(disabled.reg_url)
    await system.until_all_grants_ended()
    await system.run("accounts", "enable", NAME)
    still = await sonos.root(pair)
    again = await sonos.root(await link_household(sonos, person))

    assert [EXPIRED] * 3 == [used.fault, renewed.fault, still.fault]
    assert wrong_page.text == disabled_page.text
    assert again.fault is None


async def test_every_end_is_audited_once(embedded: System, sonos: Sonos, person: Person) -> None:
    """Revoking what has ended changes nothing and is not recorded again."""
    await link_household(sonos, person)
    for _ in range(2):
        await embedded.run("grants", "revoke", "--all", "--yes")
    rows = await execute(
        embedded.database_url, "SELECT detail FROM audit_events WHERE kind = 'grant.revoked'"
    )

    assert [('{"family": 1, "generation": 1, "reason": "operator"}',)] == rows


@pytest.mark.parametrize("kind", ["reauthenticate", "permanent"])
async def test_token_without_successor(sqlite_url: str, tmp_path: Path, person: Person, kind: str) -> None:
    """The key is Sonos's sentinel; refreshAuthToken gives the same pair while it lives, and then the household links again."""
    async with started(tmp_path, sqlite_url, LATCHKEY_TOKENS__KIND=kind) as system:
        sonos = Sonos(person.http, system.endpoint)
        pair = await link_household(sonos, person)
        renewed = await sonos.call("refreshAuthToken", pair=pair)
        ((life,),) = await execute(system.database_url, "SELECT expires_at - issued_at FROM grants")
        stale = Pair(token=await stale_token(system, hours=730 * 24 + 1), key=pair.key)
        answers = [await sonos.root(stale), await sonos.call("refreshAuthToken", pair=stale)]
        generations = await execute(system.database_url, "SELECT generation FROM grants")

    assert "alwaysReauthenticate" == pair.key
    assert pair == pair_of(renewed)
    assert (life == 730 * 86400) == (kind == "permanent")
    assert [EXPIRED] * 2 == [answer.fault for answer in answers]
    assert [(1,)] == generations
