"""Writes down what gateways saw of links, who cannot do it themselves."""

from collections.abc import Sequence

from auth_worker.context import AuthContext
from shared.domain.sight import Sighting
from shared.messages import LinkObserved


async def note_observed(messages: Sequence[LinkObserved], context: AuthContext) -> None:
    """Keep the latest word of each observer."""
    sightings = [
        Sighting(
            link_id=message.link_id,
            service=message.service,
            observer=message.observer,
            sight=seen.sight,
            times=seen.times,
            first_at=seen.first_at,
            last_at=seen.last_at,
            note=seen.note,
        )
        for message in messages
        for seen in message.seen
    ]
    async with context.store.transaction() as transaction:
        await transaction.put_sightings(sightings)
