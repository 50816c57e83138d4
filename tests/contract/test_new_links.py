"""Links that are asked for at the same time, together and one by one: the same rows, the same endings, the same record."""

from collections.abc import Sequence

import pytest

from auth_worker.context import AuthContext
from auth_worker.new_links import open_links
from shared.domain.link import LinkState
from shared.messages import LinkRequested
from tests.play.database import execute
from tests.store_samples import Stores

MANY = 12
WAYS = ["together", "one by one"]


def asked(context: AuthContext, link_id: str, **changes: object) -> LinkRequested:
    values = {
        "lifetime": 600,
        "household_id": f"Sonos_{link_id}",
        "hardware": "iPhone17,5",
        "app_name": "ICRU",
        "callback_path": "sonos-2://x",
        "network": None,
        "asked_at": context.clock.now(),
    } | changes
    return LinkRequested(service="default", link_id=link_id, **values)


async def opened(messages: Sequence[LinkRequested], way: str, context: AuthContext) -> None:
    if way == "together":
        await open_links(messages, context)
        return
    for message in messages:
        await open_links([message], context)


async def states(stores: Stores, messages: Sequence[LinkRequested]) -> list[LinkState | None]:
    views = [await stores.read.link(message.link_id) for message in messages]
    return [view and view.link.state for view in views]


@pytest.mark.parametrize("way", WAYS)
async def test_each_has_its_row(stores: Stores, context: AuthContext, way: str) -> None:
    """What the message said, whether or not others came with it; a duplicate changes nothing, inside a message or after it."""
    messages = [asked(context, f"link-{number}", network=f"net-{number}") for number in range(MANY)]
    await opened([*messages[:4], *messages], way, context)
    first = [await stores.read.link(message.link_id) for message in messages]
    await opened(messages, way, context)
    second = [await stores.read.link(message.link_id) for message in messages]

    assert [
        (message.household_id, message.network, message.hardware, message.callback_path)
        for message in messages
    ] == [
        view
        and (view.link.household_id, view.link.network, view.link.device.hardware, view.link.callback_path)
        for view in first
    ]
    assert [view and view.link for view in first] == [view and view.link for view in second]


@pytest.mark.parametrize("way", WAYS)
async def test_older_links_end_once(
    stores: Stores, context: AuthContext, database_url: str, way: str
) -> None:
    """Each device ends its own; two that came together end nobody's but the one before them, and that once."""
    old = [asked(context, f"old-{number}", household_id=f"h{number}") for number in range(MANY)]
    await opened(old, way, context)
    await execute(database_url, "UPDATE links SET requested_at = requested_at - 15")
    new = [asked(context, f"new-{number}", household_id=f"h{number}") for number in range(0, MANY, 2)]
    twice = [asked(context, f"again-{number}", household_id=f"h{number}") for number in range(0, MANY, 2)]
    elsewhere = asked(context, "tablet", household_id="h1", hardware="iPad16,1")
    await opened([*new, *twice, elsewhere], way, context)

    assert [LinkState.EXPIRED, LinkState.REQUESTED] * (MANY // 2) == await states(stores, old)
    assert [LinkState.REQUESTED] * (MANY + 1) == await states(stores, [*new, *twice, elsewhere])


@pytest.mark.parametrize("way", WAYS)
async def test_short_names(stores: Stores, context: AuthContext, way: str) -> None:
    """Of two links that got the same short name at the same time the second fails, and the others live."""
    typed = [
        asked(context, f"link-{number}", typed_id=f"typed-{number // 2}", page_code=b"sealed")
        for number in range(4)
    ]
    await opened([*typed, asked(context, "plain")], way, context)

    assert [LinkState.REQUESTED, LinkState.FAILED] * 2 == await states(stores, typed)


@pytest.mark.parametrize("way", WAYS)
async def test_each_is_on_record_once(
    stores: Stores, context: AuthContext, database_url: str, way: str
) -> None:
    """However often a message comes."""
    messages = [asked(context, f"link-{number}") for number in range(MANY)]
    for _ in range(2):
        await opened(messages, way, context)
    rows = await execute(database_url, "SELECT link_id FROM audit_events WHERE kind = 'link.requested'")

    assert sorted(message.link_id for message in messages) == sorted(row[0] for row in rows)
