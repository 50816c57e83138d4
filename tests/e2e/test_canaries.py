"""Whoever steals the database, the broker's disk and all logs holds nothing that opens anything."""

from pathlib import Path

import msgspec

from shared import keys, wire
from shared.boxes import LoginEvidence, evidence_identity
from shared.messages import LinkLoginSubmitted
from shared.sealing import seal
from tests.canaries import Canaries, files, key_material, places, workers_key_material
from tests.contract.conftest import opened
from tests.e2e.conftest import start_separately
from tests.play.operator import System, add_account, deployment
from tests.play.past import stale_token
from tests.play.person import PASSWORD, Page, Person
from tests.play.sonos import HOUSEHOLD, Pair, Sonos, login_of, pair_of, session_of
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer


async def test_stolen_disks_open_nothing(
    own_postgres: PostgresServer, own_rabbit: RabbitServer, tmp_path: Path, person: Person
) -> None:
    """After a link with a wrong password before it, a refresh, and a link of no effect: no canary in any byte anywhere."""
    from shared.storage.migrate import upgrade
    from tests.services.postgres import aside

    database_url = own_postgres.migrated_database(upgrade)
    secrets: dict[str, bytes] = {
        "password": PASSWORD.encode(),
        "wrong password": b"canary-of-a-wrong-password",
        "wrong password on the household page": b"canary-of-a-wrong-household-password",
        "legacy password": b"canary-password-of-bob",
        "wrong legacy password": b"canary-of-a-wrong-legacy-password",
        "password in a dead letter": b"canary-password-in-a-dead-letter",
    }
    legacy = {
        "LATCHKEY_SERVICES": '{"default": {}, "classic": {"auth": "session_id"}, "header": {"auth": "stateless"}, '
        '"moved": {"upgrade_from": ["session_id"], "upgrade_of": "classic"}}'
    }
    with deployment(tmp_path, database_url=database_url, broker_url=own_rabbit.url, extra=legacy) as system:
        await add_account(system)
        for service in ("classic", "header"):
            await add_account(system, "bob", secrets["legacy password"].decode(), service=service)
        start_separately(system)
        await system.ready()
        sonos = Sonos(person.http, system.endpoint)
        link = await sonos.get_app_link()
        await person.sign_in(link.reg_url, password=secrets["wrong password"].decode())
        done = await person.complete(link.reg_url)
        pair = pair_of(await sonos.poll(link))
        stale = Pair(token=await stale_token(system), key=pair.key)
        successor = pair_of(await sonos.root(stale))
        await sonos.root(successor)
        unused = await sonos.get_app_link()
        form = await person.open(unused.reg_url)
        home = await look_after_it(f"{system.gateways[0]}/household", person, secrets)
        session_id, upgraded = await use_the_past(sonos, secrets)
        dead = await bury_a_login(system, own_rabbit.url, secrets["password in a dead letter"].decode())
        secrets |= {
            "link code": link.code.encode(),
            "unused link code": unused.code.encode(),
            "linkDeviceId": link.device_id.encode(),
            "authToken": pair.token.encode(),
            "privateKey": pair.key.encode(),
            "next authToken": successor.token.encode(),
            "next privateKey": successor.key.encode(),
            "session id": session_id.encode(),
            "upgraded authToken": upgraded.token.encode(),
            "upgraded privateKey": upgraded.key.encode(),
            "form token": form.buttons["Sign in"].fields["form_token"].encode(),
            "household form token": home.buttons["Sign out"].fields["form_token"].encode(),
            **{f"cookie {cookie.key}": cookie.value.encode() for cookie in person.http.cookie_jar},
            **key_material(system.keys_dir),
        }
        assert "Your Sonos system is linked" == done.title
        search, workers_keys = Canaries(secrets), Canaries(workers_key_material(system.keys_dir))
        gateways_keys = Canaries({"link code key": secrets["link code key"]})
        for gateway in system.processes[:2]:
            workers_keys.in_memory(gateway.name, gateway.popen.pid)
            gateways_keys.in_memory(gateway.name, gateway.popen.pid)
        search.in_text("latchkey dead list", dead)
        aside(own_postgres.stop)
        own_rabbit.stop()
        search.in_files(places(own_postgres, own_rabbit, tmp_path))

        # The search itself works: what is no secret is there.
        assert any(HOUSEHOLD.encode() in place.read_bytes() for place in files(own_postgres.data))
        assert any(HOUSEHOLD.encode() in place.read_bytes() for place in files(own_rabbit.data))
        assert b"smapi call" in b"".join(place.read_bytes() for place in tmp_path.glob("*.log"))
        assert "auth.login" in dead
        assert {"gateway-1", "gateway-2"} == gateways_keys.found.keys()
        assert ({}, {}) == (search.found, workers_keys.found)
        for process in system.processes:
            process.kill()
        system.processes.clear()


async def look_after_it(address: str, person: Person, secrets: dict[str, bytes]) -> Page:
    """Sign in on the household page, wrongly and rightly, and come back to be seen there again."""
    wrong = secrets["wrong password on the household page"].decode()
    refused = await person.press(await person.open(address), "Sign in", name="ann", password=wrong)
    home = await person.press(refused, "Sign in", name="ann", password=PASSWORD)

    assert "Your Sonos systems" == home.title
    return home


async def bury_a_login(system: System, broker_url: str, password: str) -> str:
    """Leave a login among the dead letters, as a worker does that cannot finish it, and return how they are listed."""
    evidence = msgspec.json.encode(LoginEvidence(name="ann", password=password))
    message = LinkLoginSubmitted(
        service="default",
        link_id="link",
        submission_id="submission",
        browser="browser",
        provider="local",
        evidence=seal(
            evidence,
            recipient=keys.read(system.keys_dir, keys.PublicKeys).auth_worker_box[0].public,
            bound_to=evidence_identity("link", "submission"),
        ),
    )
    async with opened(broker_url) as bus:
        await bus.bury("auth.login", wire.encode([message], attempt=8), reason="no key to open it")
    return await system.run("dead", "list")


async def use_the_past(sonos: Sonos, secrets: dict[str, bytes]) -> tuple[str, Pair]:
    """Sign in without tokens in every way, rightly and wrongly, and move on to tokens; return session id and pair."""
    password, wrong = secrets["legacy password"].decode(), secrets["wrong legacy password"].decode()
    classic, header, moved = (
        Sonos(sonos.http, f"{sonos.endpoint}/{name}") for name in ("classic", "header", "moved")
    )
    session_id = (await classic.get_session_id("bob", password))["getSessionIdResult"]
    opened = [
        await classic.browse(session_of(session_id)),
        await header.browse(login_of("bob", password)),
        await moved.browse(session_of(session_id)),
    ]
    refused = [
        await classic.get_session_id("bob", wrong),
        await header.browse(login_of("bob", wrong)),
        await moved.upgrade(login_of("bob", wrong)),
    ]
    upgraded = pair_of(await moved.upgrade(login_of("bob", password)))
    await moved.upgrade(session_of(session_id))

    assert [None] * 3 == [answer.fault for answer in opened]
    assert all(answer.fault for answer in refused)
    return session_id, upgraded
