"""Upgrade to OAuth: households with old credentials get a pair, and nobody has to do anything."""

import asyncio

import pytest

from shared import keys
from shared.domain.token import TokenClaims
from shared.settings import load
from shared.tokens import sign
from tests.e2e.modes import At, at, modes, modes_on_servers
from tests.e2e.test_link import link_household
from tests.play.database import execute
from tests.play.operator import System
from tests.play.person import NAME, PASSWORD, Person
from tests.play.sonos import Pair, Sonos, login_of, pair_of, session_of

__all__ = ["at", "modes", "modes_on_servers"]


async def _old_session(modes: System, at: At, service: str) -> str:
    """A session from before the service moved: signed in to elsewhere, and the row put under its service."""
    source = "old" if service == "new" else "classic"
    return (await at(modes, source).get_session_id(NAME, PASSWORD))["getSessionIdResult"]


async def test_name_and_password_become_a_pair(modes: System, at: At) -> None:
    """The pair works, carries no nickname, and is the same for every player and every repetition."""
    moved = at(modes, "moved")
    first = await moved.upgrade(login_of(NAME, PASSWORD))
    again = await moved.upgrade(login_of(NAME, PASSWORD))
    root = await moved.root(pair_of(first))

    assert first.fault is None
    assert "nickname" not in first.values
    assert pair_of(first) == pair_of(again)
    assert "Linked to Moved as ann" == root["title"]
    assert [(1, 1)] == await execute(modes.database_url, "SELECT family, generation FROM grants")


@pytest.mark.parametrize("credentials", ["session", "login", "nothing"])
async def test_households_of_another_service_come_over(modes: System, at: At, credentials: str) -> None:
    """A session id, a name and password, or nothing at all, of the service before: each is a pair of the new one."""
    session_id = await _old_session(modes, at, "new")
    given = {"session": session_of(session_id), "login": login_of(NAME, PASSWORD), "nothing": ""}[credentials]
    new = at(modes, "new")
    before = await new.browse(given)
    answer = await new.upgrade(given)
    root = await new.root(pair_of(answer))

    # Until then sessions and logins go on; who had nothing is told to get something.
    assert ("Client.AuthTokenExpired" if credentials == "nothing" else None) == before.fault
    assert root.fault is None
    assert ("Linked to New" if credentials == "nothing" else "Linked to New as ann") == root["title"]


async def test_token_of_the_same_service_gets_its_successor(modes: System, at: At, person: Person) -> None:
    """DeviceLink and AppLink have the same tokens: the upgrade is a refresh, and a dead family stays dead."""
    free = at(modes, "free")
    anonymous = pair_of(await free.upgrade())
    successor = await free.upgrade(pair=anonymous)
    await execute(modes.database_url, "UPDATE grants SET family = family + 1, version = version + 1")
    dead = await free.upgrade(pair=anonymous)

    assert (await free.root(pair_of(successor))).fault == "Client.AuthTokenExpired"
    assert successor.fault is None
    assert "nickname" not in successor.values
    assert "Client.AuthTokenExpired" == dead.fault


async def test_token_of_the_service_before_becomes_a_pair(modes: System, at: At) -> None:
    """Its grant has to be alive still: a token that was revoked there opens nothing here."""
    new, token = at(modes, "new"), await _token_of_old(modes, at)
    answer = await new.upgrade(pair=Pair(token=token, key="pold"))
    await execute(modes.database_url, "UPDATE grants SET status = 'revoked' WHERE service = 'old'")
    refused = await at(modes, "new", household="Sonos_y").upgrade(pair=Pair(token=token, key="pold"))

    assert (await new.root(pair_of(answer))).fault is None
    assert "Client.AuthTokenExpired" == refused.fault


async def test_upgrade_is_refused_as_sonos_knows_it(modes: System, at: At) -> None:
    """No longer good: sign in again. Never had: failed. A disabled account: says so. Nothing of it leaves a grant."""
    moved, new = at(modes, "moved"), at(modes, "new")
    session_id = await _old_session(modes, at, "new")
    answers = {
        "wrong password": await moved.upgrade(login_of(NAME, "wrong")),
        "unknown session": await moved.upgrade(session_of("sunknown")),
        "session of no service before": await moved.upgrade(session_of(session_id)),
        "forged token": await new.upgrade(pair=Pair(token="forged.to.ken", key="p")),
        "kind it never had": await moved.upgrade(),
        "no upgrade at all": await Sonos(at.http, modes.endpoint).upgrade(login_of(NAME, PASSWORD)),
        "policy": await at(modes, "strict").upgrade(login_of(NAME, PASSWORD)),
    }
    await execute(modes.database_url, "UPDATE accounts SET status = 'disabled'")
    answers["disabled"] = await new.upgrade(session_of(session_id))

    assert {
        "wrong password": "Client.AuthTokenExpired",
        "unknown session": "Client.AuthTokenExpired",
        "session of no service before": "Client.AuthTokenExpired",
        "forged token": "Client.AuthTokenExpired",
        "kind it never had": "Client.NOT_LINKED_FAILURE",
        "no upgrade at all": "Client.NOT_LINKED_FAILURE",
        "policy": "Client.AuthTokenExpired",
        "disabled": "Client.LoginDisabled",
    } == {name: answer.fault for name, answer in answers.items()}
    assert [] == await execute(modes.database_url, "SELECT * FROM grants")


async def test_old_credentials_bring_nothing_back(modes: System, at: At) -> None:
    """A grant that was revoked stays revoked, however good the password: only a person can link it again."""
    moved = at(modes, "moved")
    await moved.upgrade(login_of(NAME, PASSWORD))
    await execute(modes.database_url, "UPDATE grants SET status = 'revoked', version = version + 1")
    await execute(modes.database_url, "DELETE FROM deliveries")
    answer = await moved.upgrade(login_of(NAME, PASSWORD))

    assert "Client.AuthTokenExpired" == answer.fault
    assert [("revoked",)] == await execute(modes.database_url, "SELECT status FROM grants")


async def test_linked_household_keeps_its_pair(modes: System, at: At, person: Person) -> None:
    """Who linked by hand before the upgrade came keeps the family they have."""
    moved = at(modes, "moved")
    linked = await link_household(moved, person)
    upgraded = pair_of(await moved.upgrade(login_of(NAME, PASSWORD)))

    assert linked == upgraded


@pytest.mark.services
async def test_a_burst_is_one_grant(modes_on_servers: System, at: At) -> None:
    """Thirty-two players at once on two gateways: everybody gets the one pair, and it works everywhere."""
    players = [at(modes_on_servers, "moved", gateway=number % 2) for number in range(32)]
    answers = await asyncio.gather(*(player.upgrade(login_of(NAME, PASSWORD)) for player in players))
    pairs = {pair_of(answer) for answer in answers}
    roots = [await player.root(next(iter(pairs))) for player in players[:2]]
    # Who has got an answer is ahead of the line that tells of it.
    for process in modes_on_servers.processes:
        process.stop()
    handled = modes_on_servers.logs().count("kind=upgrade.requested outcome=")

    assert 1 == len(pairs)
    assert [None, None] == [root.fault for root in roots]
    assert 2 == handled


@pytest.mark.services
async def test_publishing_alone_mints_nothing(modes_on_servers: System, at: At) -> None:
    """Somebody who may publish, and nothing else, asks token_worker for a grant: without auth_worker's row nothing comes."""
    from shared.bus.rabbit import open_rabbit
    from shared.messages import GrantRequested, Verdict
    from tests.contract.conftest import connected

    await at(modes_on_servers, "moved").upgrade(login_of(NAME, PASSWORD))
    heard: asyncio.Queue[object] = asyncio.Queue()
    async with open_rabbit(modes_on_servers.environment["LATCHKEY_BROKER_URL"]) as bus:
        await connected(bus)
        await bus.listen("thief", heard.put_nowait)
        await bus.publish([GrantRequested(service="moved", gateway="thief", request_id="made-up")])
        judged = await asyncio.wait_for(heard.get(), 30)

    assert Verdict.UNAVAILABLE == judged.verdict
    assert [(1,)] == await execute(modes_on_servers.database_url, "SELECT count(*) FROM grants")


async def _token_of_old(modes: System, at: At) -> str:
    """Link an account of the service before, as that service did when it had tokens, and return the token."""
    await at(modes, "old").get_session_id(NAME, PASSWORD)
    await execute(
        modes.database_url,
        "INSERT INTO grants SELECT 'goldgrant', service, account_id, 'Sonos_x', 'active', 1, 1, 's', 'd', "
        "created_at, created_at + 3600, 1, created_at, created_at, 1 FROM sessions",
    )
    ((account_id, issued_at),) = await execute(
        modes.database_url, "SELECT account_id, issued_at FROM grants WHERE grant_id = 'goldgrant'"
    )
    settings = load(
        database_url=modes.database_url,
        broker_url="memory://",
        keys_dir=modes.keys_dir,
        public_url=modes.environment["LATCHKEY_PUBLIC_URL"],
    )
    claims = TokenClaims(
        issuer=settings.issuer,
        service="old",
        account_id=str(account_id),
        grant_id="goldgrant",
        family=1,
        generation=1,
        issued_at=int(str(issued_at)),
        expires_at=int(str(issued_at)) + 3600,
    )
    return sign(claims, keys.read(modes.keys_dir, keys.TokenWorkerKeys).signing[0])
