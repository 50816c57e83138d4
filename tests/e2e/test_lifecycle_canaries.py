"""Whoever steals the disks and the logs finds nothing that the service's app, its provider or its back end has sent."""

from pathlib import Path

from tests.canaries import Canaries, files, places
from tests.e2e.conftest import start_separately
from tests.e2e.test_account_lifecycle import (
    NEXT_SECRET,
    SECRET,
    directory,
    linked,
    log_out,
    provider,
    refreshed,
    settings,
    tell,
    until,
)
from tests.play.app import App
from tests.play.directory import Directory
from tests.play.operator import deployment
from tests.play.person import Person
from tests.play.sonos import HOUSEHOLD, Sonos, pair_of
from tests.services.postgres import PostgresServer
from tests.services.rabbit import RabbitServer

__all__ = ["directory", "provider"]


async def test_stolen_disks_open_nothing(
    own_postgres: PostgresServer,
    own_rabbit: RabbitServer,
    directory: Directory,
    tmp_path: Path,
    person: Person,
) -> None:
    """Access tokens good and bad, refresh tokens used and kept, logout tokens, signed events: no canary in any byte anywhere."""
    from shared.storage.migrate import upgrade
    from tests.services.postgres import aside

    database_url = own_postgres.migrated_database(upgrade)
    with deployment(
        tmp_path,
        database_url=database_url,
        broker_url=own_rabbit.url,
        extra=settings(tmp_path, directory),
    ) as system:
        start_separately(system)
        await system.ready()
        sonos, app = Sonos(person.http, system.endpoint), App(person.http, system.gateways[0])
        await linked(sonos, system, directory)
        refused = await sonos.get_app_link()
        access = [directory.token("ann", jti="1"), directory.token("ann", aud="x"), "canary-opaque-token"]
        statuses = [(await app.approve(refused.code, token)).status for token in reversed(access)]
        await refreshed(sonos, system, pair_of(await sonos.poll(refused)))
        await until(system, "SELECT 1 FROM account_checks WHERE claim IS NULL AND doubt = 'none'")
        logout = [directory.logout_token("ann", aud="x"), directory.logout_token("ann")]
        statuses += [await log_out(system, person.http, token) for token in logout]
        statuses += [(await tell(system, person.http))[0]]
        told = {
            **{f"access token {number}": token for number, token in enumerate(access)},
            **{f"logout token {number}": token for number, token in enumerate(logout)},
            **{f"refresh token {token[-4:]}": token for token in (*directory.live, *directory.used)},
            "webhook secret": SECRET,
            "next webhook secret": NEXT_SECRET,
            "link code": refused.code,
        }
        secrets = {name: secret.encode() for name, secret in told.items()}
        aside(own_postgres.stop)
        own_rabbit.stop()
        search = Canaries(secrets)
        search.in_files(places(own_postgres, own_rabbit, tmp_path))

        assert [401, 401, 200, 400, 200, 200] == statuses
        assert 2 <= sum(name.startswith("refresh token") for name in secrets)
        # The search itself works: what is no secret is there.
        assert any(HOUSEHOLD.encode() in place.read_bytes() for place in files(own_postgres.data))
        assert b"account event" in b"".join(place.read_bytes() for place in tmp_path.glob("*.log"))
        assert {} == search.found
        for process in system.processes:
            process.kill()
        system.processes.clear()
