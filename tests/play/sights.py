"""What gateways have told of links, as it stands in the database."""

import asyncio

from tests.play.database import execute
from tests.play.operator import PATIENCE, System


async def until_seen(system: System, *sights: str) -> dict[str, str]:
    """Wait until gateways have told of all these sights, of whichever link, and return what is noted beside each there is."""
    async with asyncio.timeout(PATIENCE):
        while True:
            rows = await execute(system.database_url, "SELECT sight, note FROM link_sightings")
            notes = {str(sight): str(note) for sight, note in rows}
            if set(sights) <= set(notes):
                return notes
            await asyncio.sleep(0.05)
