"""Every way of signing in, each at its own path of one deployment: what works, and each fault where it belongs."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.modes import At, at, modes, modes_on_servers
from tests.e2e.test_link import link_household
from tests.play.database import execute
from tests.play.operator import EMBEDDED, System
from tests.play.person import NAME, PASSWORD, Person
from tests.play.sonos import Sonos, login_of, session_of

__all__ = ["at", "modes", "modes_on_servers"]


async def test_all_modes_work_beside_each_other(modes: System, at: At, person: Person) -> None:
    """A token, a session id, a password in the header, and nothing at all: each opens its own service."""
    linked = Sonos(at.http, modes.endpoint)
    pair = await link_household(linked, person)
    classic = at(modes, "classic")
    session_id = (await classic.get_session_id(NAME, PASSWORD))["getSessionIdResult"]
    opened = at(modes, "open")
    answers = [
        await linked.root(pair),
        await classic.browse(session_of(session_id)),
        await at(modes, "header").browse(login_of(NAME, PASSWORD)),
        await opened.browse(),
    ]
    reported = await opened.call("reportAccountAction", {"type": "addAccount"})
    updated = await opened.call("getLastUpdate")

    assert [None] * 2 == [reported.fault, updated.fault]
    assert [
        "Linked to Linked as ann",
        "Linked to Classic as ann",
        "Linked to Header as ann",
        "Linked to Open",
    ] == [answer["title"] for answer in answers]
    assert session_id.isalnum()
    assert session_id[0].isalpha()
    assert len(session_id) <= 128


def refusals() -> Iterator[tuple[str, str, str, str]]:
    """Service, method, credentials, fault."""
    known, wrong = login_of(NAME, PASSWORD), login_of(NAME, "wrong")
    yield "classic", "getMetadata", "", "Client.SessionIdInvalid"
    yield "classic", "getMetadata", session_of("sunknown"), "Client.SessionIdInvalid"
    yield "classic", "getMetadata", known, "Client.LoginUnauthorized"
    yield "classic", "getAppLink", "", "Client.MethodNotSupported"
    yield "classic", "getDeviceAuthToken", known, "Client.MethodNotSupported"
    yield "classic", "refreshAuthToken", "", "Client.MethodNotSupported"
    yield "header", "getSessionId", "", "Client.MethodNotSupported"
    yield "header", "getMetadata", "", "Client.LoginUnauthorized"
    yield "header", "getMetadata", wrong, "Client.LoginInvalid"
    yield "header", "getMetadata", login_of("nobody", PASSWORD), "Client.LoginInvalid"
    yield "open", "getAppLink", "", "Client.MethodNotSupported"
    yield "open", "getSessionId", "", "Client.MethodNotSupported"
    yield "open", "getUserInfo", "", "Client.MethodNotSupported"
    yield "default", "getSessionId", "", "Client.MethodNotSupported"
    yield "default", "getMetadata", session_of("sunknown"), "Client.LoginUnauthorized"
    yield "moved", "getSessionId", "", "Client.AuthTokenExpired"
    yield "moved", "getMetadata", session_of("sunknown"), "Client.SessionIdInvalid"
    yield "moved", "getMetadata", "", "Client.LoginUnauthorized"
    yield "free", "getMetadata", "", "Client.AuthTokenExpired"


async def test_every_mode_refuses_what_it_does_not_have(modes: System, at: At) -> None:
    """Methods and credentials of another mode, and credentials that are no good, get the fault that fits."""
    expected = {(service, method, given): fault for service, method, given, fault in refusals()}
    answers = {
        (service, method, given): (await at(modes, service).call(method, credentials=given)).fault
        for service, method, given in expected
    }

    assert expected == answers


async def test_sign_in_for_a_session_fails_as_sonos_knows_it(modes: System, at: At) -> None:
    """A wrong password, an unknown name, nothing, a tier that may not, and a disabled account: each its own fault."""
    classic, premium = at(modes, "classic"), at(modes, "premium")
    session_id = (await classic.get_session_id(NAME, PASSWORD))["getSessionIdResult"]
    await execute(modes.database_url, "UPDATE accounts SET status = 'disabled' WHERE service = 'classic'")
    answers = [
        await classic.get_session_id(NAME, "wrong"),
        await classic.get_session_id("nobody", PASSWORD),
        await classic.call("getSessionId"),
        await premium.get_session_id(NAME, PASSWORD),
        await classic.get_session_id(NAME, PASSWORD),
        await classic.browse(session_of(session_id)),
    ]

    assert [
        *["Client.LoginInvalid"] * 3,
        "Client.LoginUnsupported",
        *["Client.LoginDisabled"] * 2,
    ] == [answer.fault for answer in answers]


async def test_session_ids_are_no_good_elsewhere(modes: System, at: At) -> None:
    """A session of one service opens no other, though both keep sessions."""
    session_id = (await at(modes, "classic").get_session_id(NAME, PASSWORD))["getSessionIdResult"]
    answer = await at(modes, "premium").browse(session_of(session_id))

    assert "Client.SessionIdInvalid" == answer.fault


@pytest.mark.parametrize("column", ["used_at", "created_at"])
async def test_session_ends_when_its_time_is_over(modes: System, at: At, column: str) -> None:
    """By the database's clock, also before retention comes by; Sonos then signs in again by itself."""
    classic = at(modes, "classic")
    session_id = (await classic.get_session_id(NAME, PASSWORD))["getSessionIdResult"]
    await execute(modes.database_url, f"UPDATE sessions SET {column} = 0, expires_at = {column} + 1")
    await execute(modes.database_url, "UPDATE sessions SET expires_at = created_at - 1")
    over = await classic.browse(session_of(session_id))
    again = (await classic.get_session_id(NAME, PASSWORD))["getSessionIdResult"]

    assert "Client.SessionIdInvalid" == over.fault
    assert (await classic.browse(session_of(again))).fault is None


async def test_use_keeps_a_session_alive(modes: System, at: At) -> None:
    """A session that was not used for days is recorded as used by the next call, and lives its idle time from there."""
    classic = at(modes, "classic")
    session_id = (await classic.get_session_id(NAME, PASSWORD))["getSessionIdResult"]
    back = 20 * 86400
    await execute(
        modes.database_url,
        "UPDATE sessions SET created_at = created_at - :back, used_at = used_at - :back, expires_at = expires_at - :back",
        back=back,
    )
    ((before,),) = await execute(modes.database_url, "SELECT expires_at FROM sessions")
    answer = await classic.browse(session_of(session_id))
    after = before
    async with asyncio.timeout(30):
        while after == before:
            ((after,),) = await execute(modes.database_url, "SELECT expires_at FROM sessions")

    assert answer.fault is None
    assert 0 <= int(str(after)) - int(str(before)) - back <= 30


async def test_one_session_more_ends_the_oldest(modes: System, at: At) -> None:
    """Each call gets a session of its own, up to the limit for the account in its household."""
    classic = at(modes, "classic")
    ids = [(await classic.get_session_id(NAME, PASSWORD))["getSessionIdResult"] for _ in range(5)]
    faults = [(await classic.browse(session_of(session_id))).fault for session_id in ids]

    assert 5 == len(set(ids))
    assert 2 == faults.count("Client.SessionIdInvalid")
    assert faults[-1] is None


async def test_sessions_survive_the_restart_of_everything(modes: System, at: At) -> None:
    """Nothing of a session lives in a process."""
    session_id = (await at(modes, "classic").get_session_id(NAME, PASSWORD))["getSessionIdResult"]
    address = modes.gateways[0].removeprefix("http://")
    modes.processes.pop().stop()
    modes.start("embedded-again", ("-c", EMBEDDED), LATCHKEY_LISTEN=address)
    await modes.ready()
    answers = [
        await at(modes, "classic").browse(session_of(session_id)),
        await at(modes, "header").browse(login_of(NAME, PASSWORD)),
    ]

    assert [None, None] == [answer.fault for answer in answers]


async def test_password_in_every_header_is_verified_once(modes: System, at: At) -> None:
    """Of many calls with the same password, also at once, one has it verified; another password is another matter."""
    header = at(modes, "header")
    await asyncio.gather(*(header.browse(login_of(NAME, PASSWORD)) for _ in range(8)))
    answers = [await header.browse(login_of(NAME, PASSWORD)) for _ in range(8)]
    wrong = [await header.browse(login_of(NAME, "wrong")) for _ in range(4)]
    # Who has got an answer is ahead of the line that tells of it.
    for process in modes.processes:
        process.stop()
    handled = modes.logs().count("kind=session.requested outcome=")

    assert [None] * 8 == [answer.fault for answer in answers]
    assert ["Client.LoginInvalid"] * 4 == [answer.fault for answer in wrong]
    assert 2 == handled


async def test_password_in_every_header_outlives_its_session(modes: System, at: At) -> None:
    """A session behind a password may end; the household has shown its password and gets another, unseen."""
    header = at(modes, "header")
    await header.browse(login_of(NAME, PASSWORD))
    await execute(modes.database_url, "DELETE FROM sessions")
    answer = await header.browse(login_of(NAME, PASSWORD))

    assert answer.fault is None


@pytest.mark.services
async def test_sessions_hold_on_every_gateway(modes_on_servers: System, at: At) -> None:
    """A session from one gateway is good on another, and both verify passwords in headers."""
    session_id = (await at(modes_on_servers, "classic").get_session_id(NAME, PASSWORD))["getSessionIdResult"]
    answers = [
        await at(modes_on_servers, "classic", gateway=1).browse(session_of(session_id)),
        await at(modes_on_servers, "header").browse(login_of(NAME, PASSWORD)),
        await at(modes_on_servers, "header", gateway=1).browse(login_of(NAME, PASSWORD)),
        await at(modes_on_servers, "open", gateway=1).browse(),
    ]

    assert [None] * 4 == [answer.fault for answer in answers]


@pytest.mark.services
async def test_nobody_is_told_wrong_password_for_our_outage(modes_on_servers: System, at: At) -> None:
    """While auth_worker is away a sign-in is ServiceUnavailable, and sessions go on."""
    classic = at(modes_on_servers, "classic")
    session_id = (await classic.get_session_id(NAME, PASSWORD))["getSessionIdResult"]
    worker = next(process for process in modes_on_servers.processes if process.name == "auth-worker")
    worker.stop()
    modes_on_servers.processes.remove(worker)
    answers = [
        await classic.get_session_id(NAME, PASSWORD),
        await at(modes_on_servers, "header").browse(login_of(NAME, PASSWORD)),
    ]

    assert ["Server.ServiceUnavailable"] * 2 == [answer.fault for answer in answers]
    assert (await classic.browse(session_of(session_id))).fault is None


async def test_a_token_is_no_session(modes: System, at: At, person: Person) -> None:
    """A genuine token of one service gets nothing where sessions are asked for."""
    pair = await link_household(Sonos(at.http, modes.endpoint), person)
    answer = await at(modes, "classic").root(pair)

    assert "Client.LoginUnauthorized" == answer.fault
