"""Typed codes in the store and in auth_worker, on both databases: names of live links, and a budget of guesses."""

import asyncio
from dataclasses import replace

import pytest

from auth_worker.codes import enter_code
from auth_worker.context import AuthContext
from auth_worker.new_links import open_links
from gateway.live_codes import FRESH_SECONDS, LiveCodes
from shared.domain import typed_code
from shared.domain.link import LinkState
from shared.messages import CodeEntered, LinkRequested
from shared.storage.codes import EntryOutcome, TypedCode
from tests.play.alone import StillClock
from tests.store_samples import ENTRY, TYPED_CODE, Stores


async def name(stores: Stores, typed_id: str = "typed-1", *, lifetime: int = 600) -> TypedCode:
    """Give a link a short name that lives for *lifetime* seconds from the database's present."""
    async with stores.auth.transaction() as transaction:
        code = replace(TYPED_CODE, typed_id=typed_id, expires_at=transaction.now + lifetime)
        assert await transaction.insert_typed_code(code)
    return code


async def outcome(stores: Stores, entry_id: str) -> EntryOutcome | None:
    view = await stores.read.code_entry(entry_id)
    return view.entry.outcome if view else None


def entered(number: int, typed_id: str = "nobody", **changes: str) -> CodeEntered:
    values = {"browser": "browser-1", "network": "network-1"} | changes
    return CodeEntered(service="default", entry_id=f"entry-{number}", typed_ids=(typed_id,), **values)


async def test_right_code_brings_the_sealed_link_code(stores: Stores, context: AuthContext) -> None:
    """An entry that is right leads to the box of its link, and stays right when the event comes again."""
    code = await name(stores)
    for _ in range(2):
        await enter_code(entered(1, code.typed_id), context)
    view = await stores.read.code_entry("entry-1")

    assert view is not None
    assert (EntryOutcome.RIGHT, code.typed_id, code.sealed) == (
        view.entry.outcome,
        view.entry.typed_id,
        view.sealed,
    )


@pytest.mark.parametrize("lifetime", [0, -1, -600])
async def test_expired_code_is_as_wrong_as_an_unknown_one(
    stores: Stores, context: AuthContext, lifetime: int
) -> None:
    """Nothing in the entry tells a code that was live once from one that never was."""
    code = await name(stores, lifetime=lifetime)
    await enter_code(entered(1, code.typed_id), context)
    await enter_code(entered(2), context)
    views = [await stores.read.code_entry(f"entry-{number}") for number in (1, 2)]

    assert [(EntryOutcome.WRONG, None, None)] * 2 == [
        (view.entry.outcome, view.entry.typed_id, view.sealed) for view in views if view
    ]


async def test_code_of_a_retiring_key_is_found(stores: Stores, context: AuthContext) -> None:
    """While a key is rotated, one code has a hash under each key, and any of them may be the stored one."""
    code = await name(stores)
    event = CodeEntered(
        service="default",
        entry_id="entry-1",
        browser="browser-1",
        network="network-1",
        typed_ids=("under the new key", code.typed_id),
    )
    await enter_code(event, context)

    assert EntryOutcome.RIGHT is await outcome(stores, "entry-1")


async def test_only_live_codes_are_counted_and_not_all_of_them(stores: Stores) -> None:
    """The count leaves out what has expired and stops at the bound."""
    for number in range(5):
        await name(stores, f"live-{number}")
        await name(stores, f"dead-{number}", lifetime=-number)

    assert [5, 3] == [await stores.read.live_codes(100), await stores.read.live_codes(3)]


async def test_count_of_live_codes_is_good_for_a_moment(stores: Stores) -> None:
    """Codes that others issue meanwhile make the next one longer when it is over."""
    codes, clock, short = LiveCodes(), StillClock(), 0
    lengths = [await codes.next_length(stores.read, clock)]
    while typed_code.length_for(short) == typed_code.LENGTHS[0]:
        await name(stores, f"live-{short}")
        short += 1
    for clock.passed in (FRESH_SECONDS - 0.1, FRESH_SECONDS):
        lengths.append(await codes.next_length(stores.read, clock))

    assert [*typed_code.LENGTHS[:1] * 2, typed_code.LENGTHS[1]] == lengths


async def test_second_link_of_one_name_fails(stores: Stores, context: AuthContext) -> None:
    """Two links never share a name: the later one fails, so that its Sonos starts again, and the first keeps the name."""
    for link_id in ("link-1", "link-2"):
        requested = LinkRequested(
            service="default",
            link_id=link_id,
            lifetime=600,
            household_id="Sonos_1",
            typed_id="typed-1",
            page_code=link_id.encode(),
        )
        for _ in range(2):
            await open_links([requested], context)
    await enter_code(entered(1, "typed-1"), context)
    first, second = await stores.read.poll("link-1"), await stores.read.poll("link-2")
    view = await stores.read.code_entry("entry-1")

    assert first is not None
    assert second is not None
    assert view is not None
    assert (LinkState.REQUESTED, LinkState.FAILED, b"link-1") == (
        first.link.state,
        second.link.state,
        view.sealed,
    )


async def test_budget_is_used_up_by_wrong_codes_alone(stores: Stores, context: AuthContext) -> None:
    """A right code neither counts nor gives anything back, and codes over the budget do not prolong the wait."""
    code = await name(stores)
    typed = ["nobody"] * 4 + [code.typed_id, "nobody", code.typed_id, "nobody"]
    for number, typed_id in enumerate(typed):
        await enter_code(entered(number, typed_id), context)
    outcomes = [await outcome(stores, f"entry-{number}") for number in range(len(typed))]
    guesses = await stores.read.guesses(browser="browser-1", network="network-1")

    assert ["wrong"] * 4 + ["right", "wrong", "too_many", "too_many"] == outcomes
    assert (5, 5) == (len(guesses.browser), len(guesses.network))


async def test_budget_of_a_network_spans_its_browsers(stores: Stores, context: AuthContext) -> None:
    """Twenty wrong codes of one address prefix are enough for all of it, and for nobody else."""
    code = await name(stores)
    for number in range(20):
        await enter_code(entered(number, browser=f"browser-{number}"), context)
    await enter_code(entered(20, code.typed_id, browser="new"), context)
    await enter_code(entered(21, code.typed_id, browser="new", network="another"), context)

    assert [EntryOutcome.TOO_MANY, EntryOutcome.RIGHT] == [
        await outcome(stores, "entry-20"),
        await outcome(stores, "entry-21"),
    ]


async def test_codes_typed_at_once_share_one_budget(stores: Stores, context: AuthContext) -> None:
    """Of thirty codes that arrive together no more than five are looked at, whoever judges them."""
    await asyncio.gather(*(enter_code(entered(number), context) for number in range(30)))
    outcomes = [await outcome(stores, f"entry-{number}") for number in range(30)]

    assert set(outcomes) <= {EntryOutcome.WRONG, EntryOutcome.TOO_MANY}
    assert outcomes.count(EntryOutcome.WRONG) <= 5


async def test_judgement_stays(stores: Stores) -> None:
    """The first judgement of an entry is the one that counts, also for a worker that comes late with another."""
    async with stores.auth.transaction() as transaction:
        assert await transaction.insert_code_entry(ENTRY)
        assert not await transaction.insert_code_entry(replace(ENTRY, browser="another"))
        await transaction.judge_code_entry(ENTRY.entry_id, EntryOutcome.WRONG, None)
        await transaction.judge_code_entry(ENTRY.entry_id, EntryOutcome.RIGHT, "typed-1")

    async with stores.auth.transaction() as transaction:
        assert replace(ENTRY, outcome=EntryOutcome.WRONG) == await transaction.code_entry(ENTRY.entry_id)


async def test_entry_that_is_not_judged_counts(stores: Stores) -> None:
    """What was typed counts from the moment it is recorded, and no longer when its window is over."""
    async with stores.auth.transaction() as transaction:
        now = transaction.now
        for number, ago in enumerate((0, 599, 600, 5000)):
            entry = replace(ENTRY, entry_id=f"entry-{number}", entered_at=now - ago)
            await transaction.insert_code_entry(entry)
    guesses = await stores.read.guesses(browser=ENTRY.browser, network="elsewhere")

    # The second may have passed meanwhile.
    assert {now} <= set(guesses.browser) <= {now, now - 599}
    assert () == guesses.network


async def test_time_comes_with_no_guesses(stores: Stores) -> None:
    """Where nobody has guessed, the database's time is told all the same."""
    async with stores.auth.transaction() as transaction:
        pass
    guesses = await stores.read.guesses(browser="nobody", network="nowhere")

    assert ((), ()) == (guesses.browser, guesses.network)
    assert transaction.now <= guesses.now


async def test_expired_names_and_entries_are_deleted(stores: Stores) -> None:
    """Retention takes both away in the second of their expiry, and leaves the live ones."""
    await name(stores, "live")
    await name(stores, "dead", lifetime=0)
    async with stores.auth.transaction() as transaction:
        for entry_id, ago in (("old", 601), ("new", 0)):
            entry = replace(ENTRY, entry_id=entry_id, entered_at=transaction.now - ago)
            await transaction.insert_code_entry(entry)
    async with stores.token.transaction() as transaction:
        deleted = await transaction.delete_expired(links_before=0, limit=100)
    async with stores.auth.transaction() as transaction:
        left = [await transaction.code_entry(entry_id) is not None for entry_id in ("old", "new")]

    assert (2, [False, True], 1) == (deleted, left, await stores.read.live_codes(10))
