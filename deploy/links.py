"""What `latchkey links` does: asks the database what became of links."""

from gateway.operator import lookup
from shared import bootstrap, keys
from shared.domain.stops import Story
from shared.settings import Settings


async def stories(settings: Settings, *, name: str, household: str) -> tuple[Story, ...]:
    """Return the stories of one link by its name, or of a household's links, the one asked for last first.

    Raises:
        ValueError: neither or both were asked about, or it is no name of a link.
        KeysError: it is a code, and the gateway's key file is not here.
        StoreUnavailable: the database does not answer.
    """
    if bool(name) == bool(household):
        raise ValueError("say which link: its CODE or id, or --household ID")
    async with bootstrap.open_read_store(settings) as store:
        if household:
            return await lookup.of_household(household, store)
        made_with = (
            () if lookup.is_link_id(name) else keys.read(settings.keys_dir, keys.GatewayKeys).link_code
        )
        return await lookup.named(
            name,
            store,
            link_code_keys=[key.secret for key in made_with],
            services=list(settings.services),
        )
