"""What people may ask of whoever runs the service: all that is known of them, and an end to it, from the command line."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.conftest import started
from tests.e2e.test_link import link_household
from tests.play.database import execute
from tests.play.operator import System
from tests.play.person import NAME, PASSWORD, Person
from tests.play.sonos import HOUSEHOLD, Sonos

FORMS = ["embedded", pytest.param("on servers", marks=pytest.mark.services)]


@pytest.fixture(params=FORMS)
async def running_system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """One process, on the in-process bus, where the command does the work, or on RabbitMQ, where token_worker does."""
    on_servers = request.param == "on servers"
    database_url = request.getfixturevalue("postgres_url" if on_servers else "sqlite_url")
    broker_url = request.getfixturevalue("rabbit_url") if on_servers else "memory://"
    async with started(tmp_path, database_url, broker_url) as system:
        yield system


async def test_account_is_exported_and_erased(running_system: System, person: Person) -> None:
    """Everything is in what is given out; then nothing is left but that it happened, and the household's token is over."""
    system, sonos = running_system, Sonos(person.http, running_system.endpoint)
    pair = await link_household(sonos, person)
    known = json.loads(await system.run("accounts", "export", NAME))
    account_id = known["account"]["id"]
    by_id = json.loads(await system.run("accounts", "export", "--account", account_id))
    output = await system.run("accounts", "erase", NAME, "--yes")
    after = await sonos.root(pair)
    left = {
        table: await execute(system.database_url, f"SELECT count(*) FROM {table}")
        for table in ("accounts", "local_users", "grants", "grant_origins")
    }
    events = await execute(
        system.database_url,
        "SELECT kind, household_id, detail FROM audit_events WHERE account_id = :account",
        account=account_id,
    )
    page = await person.sign_in((await sonos.get_app_link()).reg_url, password=PASSWORD)

    assert known == by_id
    assert (NAME, [HOUSEHOLD]) == (
        known["account"]["nickname"],
        [each["household"] for each in known["systems"]],
    )
    assert "link.linked" in {event["kind"] for event in known["events"]}
    assert f"erased the account {account_id}" in output
    assert "Client.AuthTokenExpired" == after.fault
    assert {name: [(0,)] for name in left} == left
    assert {"link.linked", "account.erased"} <= {str(kind) for kind, *_ in events}
    assert {None} == {household for _, household, _ in events}
    assert "password" in page.text.lower()
