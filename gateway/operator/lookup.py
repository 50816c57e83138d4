"""Finds a link by whatever somebody has of it, and tells its story."""

import re
from collections.abc import Sequence

from shared.domain import link_code, typed_code
from shared.domain.stops import Story, story
from shared.storage.base import ReadStore

MOST_LINKS = 20
"""Of a household, that are told of."""

_LINK_ID = re.compile(r"[0-9a-f]{32}")


def is_link_id(name: str) -> bool:
    """Tell whether a name needs no key to be understood."""
    return _LINK_ID.fullmatch(name) is not None


async def of_household(household_id: str, store: ReadStore) -> tuple[Story, ...]:
    """Return the stories of a household's links, the one asked for last first."""
    return await told(await store.links_of(household_id, limit=MOST_LINKS), store)


async def named(
    name: str, store: ReadStore, *, link_code_keys: Sequence[bytes], services: Sequence[str]
) -> tuple[Story, ...]:
    """Return the story of a link, by its code, the code that people type for it, or its id; nothing if there is none.

    A code is taken long after its time is over: what it says of itself is not looked at.

    Raises:
        ValueError: it is no name of a link.
    """
    if is_link_id(name):
        return await told([name], store)
    made_by = [(key, service) for key in link_code_keys for service in services]
    if link_code.has_shape(name):
        return await told([link_code.link_id_of(name, key=key, service=each) for key, each in made_by], store)
    typed = typed_code.normalise(name)
    if typed is None:
        raise ValueError("that is neither a link code, nor a code that people type, nor the id of a link")
    link_id = await store.link_named(
        [typed_code.typed_id(key, service=service, typed=typed) for key, service in made_by]
    )
    return () if link_id is None else await told([link_id], store)


async def told(link_ids: Sequence[str], store: ReadStore) -> tuple[Story, ...]:
    """Return the stories of links; those without a row are missing."""
    return tuple(story(trail) for trail in await store.trails(link_ids)) if link_ids else ()
