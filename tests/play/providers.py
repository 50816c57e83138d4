"""Deployments whose people sign in at identity providers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.play.database import execute
from tests.play.operator import EMBEDDED, PATIENCE, System, deployment

Providers = Mapping[str, Mapping[str, Any]]
"""Name -> its settings."""


@asynccontextmanager
async def signing_in_at(
    folder: Path, database_url: str, providers: Callable[[str], Awaitable[Providers]], *, wait: bool = True
) -> AsyncIterator[System]:
    """One process whose settings name providers.

    Args:
        providers: the public URL -> the settings, once the providers know of it.
        wait: until people can be sent there.
    """
    with deployment(folder, database_url=database_url, broker_url="memory://") as system:
        named = await providers(system.environment["LATCHKEY_PUBLIC_URL"])
        system.environment["LATCHKEY_PROVIDERS"] = json.dumps(named)
        system.start_gateway("embedded", ("-c", EMBEDDED))
        await system.ready()
        if wait:
            await known(system, [name for name, each in named.items() if each["type"] == "oidc"])
        yield system


async def known(system: System, names: list[str]) -> None:
    """Wait until auth_worker has told the gateways where providers are."""
    async with asyncio.timeout(PATIENCE):
        while True:
            rows = await execute(system.database_url, "SELECT provider FROM provider_metadata")
            if {name for (name,) in rows} >= set(names):
                return
            system.expect_alive()
            await asyncio.sleep(0.02)
