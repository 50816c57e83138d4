"""A stale token: its successor rides in the fault, the same for whoever asks, and nothing else changes."""

import asyncio

from tests.e2e.test_link import link_household
from tests.play.operator import System
from tests.play.past import stale_token
from tests.play.person import Person
from tests.play.sonos import Pair, Sonos, pair_of


async def test_stale_token_is_answered_with_its_successor(
    system: System, sonos: Sonos, person: Person
) -> None:
    """TokenRefreshRequired, in the one form that every client understands, with a pair that works."""
    pair = await link_household(sonos, person)
    stale = Pair(token=await stale_token(system), key=pair.key)
    refused = await sonos.root(stale)
    repeated = await sonos.root(pair_of(refused))

    assert "Client.TokenRefreshRequired" == refused.fault
    assert b'<faultstring xml:lang="en">tokenRefreshRequired</faultstring>' in refused.raw
    assert repeated.fault is None


async def test_all_presenters_get_one_successor(processes: System, sonos: Sonos, person: Person) -> None:
    """Sixteen players at once, on two gateways, through both doors, with and without the key: one pair."""
    pair = await link_household(sonos, person)
    stale = Pair(token=await stale_token(processes), key=pair.key)
    elsewhere = Sonos(sonos.http, f"{processes.gateways[1]}/smapi")
    answers = await asyncio.gather(
        *(
            one.call(method, pair=stale, send_key=send_key)
            for one in (sonos, elsewhere)
            for method in ("getLastUpdate", "refreshAuthToken")
            for send_key in (True, False)
            for _ in range(2)
        )
    )

    assert len({pair_of(answer) for answer in answers}) == 1


async def test_wrong_key_is_refused_and_harms_nobody(embedded: System, sonos: Sonos, person: Person) -> None:
    """A key that is sent must be right; presenting a wrong one neither refreshes nor revokes."""
    pair = await link_household(sonos, person)
    refused = await sonos.call("refreshAuthToken", pair=Pair(token=pair.token, key="pwrong"))

    assert "Client.LoginUnauthorized" == refused.fault
    assert (await sonos.root(pair)).fault is None


async def test_lost_answer_is_given_again(embedded: System, sonos: Sonos, person: Person) -> None:
    """Whoever missed the successor presents the stale token once more and gets the identical pair."""
    pair = await link_household(sonos, person)
    stale = Pair(token=await stale_token(embedded), key=pair.key)
    lost = pair_of(await sonos.root(stale))
    again = pair_of(await sonos.root(stale))

    assert lost == again
