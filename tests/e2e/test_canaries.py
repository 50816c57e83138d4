"""Whoever steals the database, the broker's disk and all logs holds nothing that opens anything."""

import base64
from collections.abc import Iterator
from pathlib import Path

from shared import keys
from tests.e2e.conftest import start_separately
from tests.play.operator import add_account, deployment
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
        aside(own_postgres.stop)
        own_rabbit.stop()
        found = {place: found_in(place, secrets) for place in places(own_postgres, own_rabbit, tmp_path)}

        # The search itself works: what is no secret is there.
        assert any(HOUSEHOLD.encode() in place.read_bytes() for place in files(own_postgres.data))
        assert any(HOUSEHOLD.encode() in place.read_bytes() for place in files(own_rabbit.data))
        assert b"smapi call" in b"".join(place.read_bytes() for place in tmp_path.glob("*.log"))
        assert {} == {place: names for place, names in found.items() if names}
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


def key_material(folder: Path) -> dict[str, bytes]:
    """Return every secret of every key file."""
    gateway = keys.read(folder, keys.GatewayKeys)
    auth_worker = keys.read(folder, keys.AuthWorkerKeys)
    token_worker = keys.read(folder, keys.TokenWorkerKeys)
    groups = {
        "link code key": gateway.link_code,
        "gateway box": gateway.box,
        "cookie key": gateway.cookie,
        "auth_worker box": auth_worker.box,
        "derivation key": token_worker.derivation,
    }
    material = {name: key.secret for name, group in groups.items() for key in group}
    return material | {
        "signing key": token_worker.signing[0].jwk["d"].encode(),
        "content key": gateway.content[0].jwk["d"].encode(),
    }


def places(postgres: PostgresServer, rabbit: RabbitServer, logs: Path) -> Iterator[Path]:
    """Return every file that a thief might get, but for the key files themselves."""
    yield from files(postgres.data)
    yield from (place for place in (postgres.log,) if place)
    yield from files(rabbit.data)
    yield from files(rabbit.logs)
    yield from logs.glob("*.log")


def files(folder: Path | None) -> Iterator[Path]:
    assert folder is not None
    return (path for path in folder.rglob("*") if path.is_file())


def found_in(place: Path, secrets: dict[str, bytes]) -> list[str]:
    """Return the names of the secrets that a file holds: as they are, in hexadecimal, or in base 64."""
    content = place.read_bytes()
    return [name for name, secret in secrets.items() if any(form in content for form in forms(secret))]


def forms(secret: bytes) -> tuple[bytes, ...]:
    # In base 64 a secret inside a longer text can start at any of three offsets; its whole groups look the same.
    shifted = (base64.b64encode(secret[start : start + (len(secret) - start) // 3 * 3]) for start in range(3))
    return (secret, secret.hex().encode(), *shifted)
