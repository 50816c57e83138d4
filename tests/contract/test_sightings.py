"""What was seen of links in the store, and how far links came, on both databases."""

from dataclasses import replace

import pytest

from shared.domain.grant import GrantStatus
from shared.domain.link import LinkState
from shared.domain.sight import MOST_SIGHTINGS, Sight, Sighting
from shared.storage import timeline_reads
from shared.storage.records import AuditEvent
from shared.storage.timelines import Reached
from tests.store_samples import GRANT, LINK, ORIGIN, SIGHTING, TYPED_CODE, Stores, insert_grant, insert_link

EARLIER = replace(SIGHTING, times=1, last_at=SIGHTING.first_at)
LATER = replace(SIGHTING, times=5, last_at=SIGHTING.last_at + 60)


async def put(stores: Stores, *sightings: Sighting) -> None:
    async with stores.auth.transaction() as transaction:
        await transaction.put_sightings(sightings)


async def seen(stores: Stores, link_id: str = LINK.link_id) -> tuple[Sighting, ...]:
    (trail,) = await stores.read.trails([link_id])
    return trail.sightings


@pytest.mark.parametrize(
    "told",
    [
        [[LATER]],
        [[EARLIER], [SIGHTING], [LATER]],
        [[LATER], [SIGHTING], [EARLIER]],
        [[LATER], [LATER]],
        [[LATER, EARLIER, SIGHTING]],
    ],
)
async def test_the_latest_word_stays(stores: Stores, told: list[list[Sighting]]) -> None:
    """However often an observer's word comes, in whatever order and company."""
    await insert_link(stores.auth)
    for sightings in told:
        await put(stores, *sightings)

    assert (LATER,) == await seen(stores)


async def test_observers_and_sights_are_told_apart(stores: Stores) -> None:
    """Two gateways counted the same polls neither together nor over each other."""
    await insert_link(stores.auth)
    other = replace(SIGHTING, observer="gateway-2", times=9)
    page = replace(SIGHTING, sight=Sight.PAGE, first_at=1)
    await put(stores, SIGHTING, other, page)

    assert {SIGHTING, other, page} == set(await seen(stores))


async def test_a_link_without_a_row_is_passed_over(stores: Stores) -> None:
    """The rest of what was told is written; the service is that of the link, whatever the observer says."""
    await insert_link(stores.auth)
    await put(stores, replace(SIGHTING, link_id="link-0"), replace(SIGHTING, service="other"))

    assert (SIGHTING,) == await seen(stores)
    assert () == await stores.read.trails(["link-0"])


async def test_rows_of_a_link_are_bounded(stores: Stores) -> None:
    """However many gateways come and go."""
    await insert_link(stores.auth)
    await put(stores, *(replace(SIGHTING, observer=f"gateway-{n}") for n in range(MOST_SIGHTINGS + 10)))

    assert MOST_SIGHTINGS == len(await seen(stores))


async def test_sightings_go_with_their_link(stores: Stores) -> None:
    """Retention needs to know of links alone."""
    await insert_link(stores.auth)
    await put(stores, SIGHTING)
    async with stores.token.transaction() as transaction:
        await transaction.delete_expired(links_before=LINK.expires_at + 1, limit=10)
    await insert_link(stores.auth)

    assert () == await seen(stores)


async def test_the_first_use_is_noted_once(stores: Stores) -> None:
    """For the link that the grant came from last, with the database's time; a grant from before that was kept has none."""
    await insert_link(stores.auth)
    await insert_grant(stores)
    async with stores.token.transaction() as transaction:
        await transaction.note_first_use(GRANT.grant_id)
        await transaction.put_origin(ORIGIN)
        now = transaction.now
        for _ in range(2):
            await transaction.note_first_use(GRANT.grant_id)
    used = replace(SIGHTING, observer="token_worker", sight=Sight.USED, times=1, first_at=now, last_at=now)

    assert (used,) == await seen(stores)


async def test_a_trail_has_what_happened(stores: Stores) -> None:
    """In the order in which it was written, with what became of the grant; asked for together, the last link first."""
    await insert_grant(stores)
    await insert_link(stores.auth, replace(LINK, state=LinkState.LINKED, grant_id=GRANT.grant_id))
    await insert_link(stores.auth, replace(LINK, link_id="link-2", requested_at=LINK.requested_at + 60))
    async with stores.auth.transaction() as transaction:
        for kind in ("link.requested", "login.refused"):
            await transaction.audit(
                AuditEvent(kind=kind, service="default", link_id=LINK.link_id, detail={"provider": "local"})
            )
        now = transaction.now
    second, first = await stores.read.trails([LINK.link_id, "link-2", "link-3"])

    assert ("link-2", (), None) == (second.link.link_id, second.happened, second.grant)
    assert (LINK.link_id, GrantStatus.ACTIVE) == (first.link.link_id, first.grant)
    assert [("link.requested", {"provider": "local"}), ("login.refused", {"provider": "local"})] == [
        (event.kind, event.detail) for event in first.happened
    ]
    assert all(now == event.at for event in first.happened)
    assert ("link-2", LINK.link_id) == await stores.read.links_of(LINK.household_id, limit=10)
    assert ("link-2",) == await stores.read.links_of(LINK.household_id, limit=1)


async def test_events_of_a_trail_are_bounded(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of them tell how it went; of several links all together, so that one may have more of them."""
    monkeypatch.setattr(timeline_reads, "MOST_EVENTS", 2)
    for link_id in (LINK.link_id, "link-2"):
        await insert_link(stores.auth, replace(LINK, link_id=link_id))
    async with stores.auth.transaction() as transaction:
        for number in range(5):
            await transaction.audit(
                AuditEvent(kind=f"event {number}", service="default", link_id=LINK.link_id)
            )
    told = []
    for asked in ([LINK.link_id], [LINK.link_id, "link-2"]):
        trails = await stores.read.trails(asked)
        told.append([event.kind for trail in trails for event in trail.happened])

    assert [[f"event {number}" for number in range(most)] for most in (2, 4)] == told


async def test_a_short_name_leads_to_its_link_while_it_lives(stores: Stores) -> None:
    """Any of the names that it may have, by the keys in use."""
    async with stores.auth.transaction() as transaction:
        await transaction.insert_typed_code(replace(TYPED_CODE, expires_at=transaction.now + 60))
        await transaction.insert_typed_code(replace(TYPED_CODE, typed_id="typed-2", expires_at=1))

    assert LINK.link_id == await stores.read.link_named(["typed-0", "typed-1"])
    assert await stores.read.link_named(["typed-2"]) is None


async def test_the_funnel_counts_how_far_links_came(stores: Stores) -> None:
    """Each link at its furthest, in the span in which it was asked for; those before, and those beyond the bound, not at all."""
    hour = LINK.requested_at - LINK.requested_at % 3600
    how = {
        "a": (hour, LinkState.REQUESTED, None, ()),
        "b": (hour, LinkState.EXPIRED, None, (Sight.RETRY, Sight.PAGE)),
        "c": (hour + 10, LinkState.DECLINED, "account-1", (Sight.PAGE,)),
        "d": (hour + 20, LinkState.AUTHENTICATED, "account-1", (Sight.PAGE, Sight.ALLOWED)),
        "e": (hour + 3600, LinkState.LINKED, "account-1", (Sight.PAGE,)),
        "f": (hour + 3600, LinkState.LINKED, "account-1", (Sight.DELIVERED,)),
        "g": (hour + 3600, LinkState.LINKED, "account-1", (Sight.DELIVERED, Sight.USED)),
        "z": (hour - 1, LinkState.LINKED, "account-1", (Sight.DELIVERED, Sight.USED)),
    }
    for link_id, (at, state, account_id, sights) in how.items():
        link = replace(
            LINK, link_id=link_id, requested_at=at, expires_at=at + 600, state=state, account_id=account_id
        )
        await insert_link(stores.auth, link)
        await put(stores, *(replace(SIGHTING, link_id=link_id, sight=sight) for sight in sights))
    counted = await stores.read.funnel(since=hour, span=3600, most=100)
    last = await stores.read.funnel(since=hour, span=3600, most=3)

    assert [
        *((hour, stage, 1) for stage in (0, 1, 2, 3)),
        *((hour + 3600, stage, 1) for stage in (4, 5, 6)),
    ] == [(each.begins, each.stage, each.links) for each in counted]
    assert Reached(begins=hour + 3600, stage=6, links=1) in last
    assert 3 == sum(each.links for each in last)
    assert ("e", "f", "d", "c", "a", "b") == await stores.read.unfinished(since=hour, most=100)
    assert ("e", "f", "g", "d", "c", "a", "b") == await stores.read.latest(since=hour, most=100)
