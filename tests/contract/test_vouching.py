"""What auth_worker makes of the back end's word, on both databases: once, however often it comes."""

import asyncio
from dataclasses import replace

import msgspec

from auth_worker.context import AuthContext
from auth_worker.vouching import link_vouched
from shared.boxes import Vouched, vouched_identity
from shared.domain.account import VOUCHED
from shared.domain.link import BACK_END, LinkState
from shared.messages import LinkApproved, LinkVouched
from shared.sealing import seal
from shared.wire import decode
from tests.store_samples import Stores


def told(context: AuthContext, link_id: str = "link-1", subject: str = "ann") -> LinkVouched:
    return LinkVouched(
        service="default",
        link_id=link_id,
        lifetime=600,
        household_id="Sonos_1",
        vouched=seal(
            msgspec.json.encode(Vouched(subject=subject, nickname="Ann")),
            recipient=context.public_keys.auth_worker_box[0].public,
            bound_to=vouched_identity(link_id),
        ),
    )


async def approvals(context: AuthContext, count: int) -> list[LinkApproved]:
    """Return what was published for token_worker."""
    received: list[LinkApproved] = []
    enough = asyncio.Event()

    async def receive(delivery: object) -> None:
        received.extend(decode(delivery.body).events)
        await delivery.ack()
        if len(received) >= count:
            enough.set()

    await context.bus.consume("token.mint", receive, prefetch=10)
    async with asyncio.timeout(30):
        await enough.wait()
    return received


async def test_duplicates_ask_for_the_token_again_and_change_nothing(
    stores: Stores, context: AuthContext
) -> None:
    """One link and one account come of it, signed in by no browser; the follow-up is published each time."""
    for _ in range(3):
        await link_vouched(told(context), context)
    view = await stores.read.link("link-1")
    published = await approvals(context, 3)

    assert view is not None
    assert view.account is not None
    assert (LinkState.AUTHENTICATED, BACK_END, 1) == (view.link.state, view.link.browser, view.link.version)
    assert (VOUCHED, "ann", "Ann") == (view.account.provider, view.account.subject, view.account.nickname)
    assert {("link-1", BACK_END)} == {(event.link_id, event.browser) for event in published}
    assert 3 == len(published)


async def test_late_duplicate_does_not_undo_a_link(stores: Stores, context: AuthContext) -> None:
    """The word that comes again after the token was minted leaves the link as it is."""
    await link_vouched(told(context), context)
    async with stores.auth.transaction() as transaction:
        link = await transaction.link("link-1")
        assert link is not None
    async with stores.token.transaction() as transaction:
        linked = replace(link, state=LinkState.LINKED, grant_id="grant-1", version=2)
        await transaction.swap_link(link, linked)
    await link_vouched(told(context), context)
    view = await stores.read.link("link-1")

    assert view is not None
    assert linked == view.link
