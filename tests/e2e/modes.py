"""A deployment that serves every way of signing in, each at a path of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import start_separately
from tests.play.database import execute
from tests.play.operator import EMBEDDED, System, add_account, deployment
from tests.play.sonos import Sonos

SERVICES = """
[services.default]
title = "Linked"

[services.classic]
title = "Classic"
auth = "session_id"

[services.premium]
title = "Premium"
auth = "session_id"
tiers = ["paidPremium"]

[services.header]
title = "Header"
auth = "stateless"

[services.open]
title = "Open"
auth = "anonymous"

[services.moved]
title = "Moved"
upgrade_from = ["session_id"]

[services.strict]
title = "Strict"
upgrade_from = ["session_id"]
upgrade = "sign_in_again"

[services.old]
title = "Old"
auth = "session_id"

[services.new]
title = "New"
upgrade_from = ["session_id", "stateless", "anonymous", "device_link"]
upgrade_of = "old"

[services.free]
title = "Free"
upgrade_from = ["anonymous", "device_link"]

[sessions]
most = 3
# Argon2 takes its time where many tests run beside each other.
timeout = 8
"""
WITH_ACCOUNTS = ("default", "classic", "premium", "header", "moved", "strict", "old")


async def add_accounts(prepared: System) -> None:
    """Add the same person to each service; the password is hashed once, since that is slow."""
    await add_account(prepared)
    for service in WITH_ACCOUNTS[1:]:
        await execute(
            prepared.database_url,
            "INSERT INTO local_users (service, name, subject, nickname, password_hash) "
            "SELECT :service, name, subject, nickname, password_hash FROM local_users WHERE service = 'default'",
            service=service,
        )


async def start(prepared: System) -> None:
    await add_accounts(prepared)
    prepared.start_gateway("embedded", ("-c", EMBEDDED))
    await prepared.ready()


def settings_file(folder: Path) -> dict[str, str]:
    file = folder / "latchkey.toml"
    file.write_text(SERVICES)
    return {"LATCHKEY_CONFIG": str(file)}


@pytest.fixture
async def modes(sqlite_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """One process that serves every way of signing in, each at a path of its own."""
    with deployment(
        tmp_path, database_url=sqlite_url, broker_url="memory://", extra=settings_file(tmp_path)
    ) as prepared:
        await start(prepared)
        yield prepared


@pytest.fixture
async def modes_on_servers(postgres_url: str, rabbit_url: str, tmp_path: Path) -> AsyncIterator[System]:
    """The same as four processes: two gateways and one of each worker."""
    with deployment(
        tmp_path, database_url=postgres_url, broker_url=rabbit_url, extra=settings_file(tmp_path)
    ) as prepared:
        await add_accounts(prepared)
        start_separately(prepared)
        await prepared.ready()
        yield prepared


@pytest.fixture
def at(http: aiohttp.ClientSession) -> "At":
    """A household's Sonos, aimed at a service."""
    return At(http)


class At:
    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    def __call__(
        self, system: System, service: str, *, gateway: int = 0, household: str = "Sonos_x"
    ) -> Sonos:
        return Sonos(self.http, f"{system.gateways[gateway]}/smapi/{service}", household=household)
