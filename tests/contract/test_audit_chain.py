"""The audit log as a chain: what was changed shows, an erasure does not break it, and what is old may go."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.audit import Verified, verify
from shared import keys
from shared.bus.memory import MemoryBus
from shared.context import SystemClock, SystemRandom
from shared.settings import load
from shared.storage.records import AuditEvent
from tests.play.database import execute
from tests.store_samples import GRANT, Stores, insert_grant
from token_worker import auditing
from token_worker.context import TokenContext
from token_worker.minting import Mint

EVENT = AuditEvent(
    kind="grant.revoked",
    service="default",
    account_id=GRANT.account_id,
    grant_id=GRANT.grant_id,
    household_id=GRANT.household_id,
    detail={"reason": "operator"},
)


@pytest.fixture
async def worker(stores: Stores, database_url: str, tmp_path: Path) -> AsyncIterator[TokenContext]:
    """token_worker, with an account and three events of it under two seals."""
    made = keys.create(SystemRandom().token_bytes)
    keys.write(made, tmp_path / "keys")
    settings = load(
        database_url=database_url,
        broker_url="memory://",
        keys_dir=tmp_path / "keys",
        public_url="http://127.0.0.1",
    )
    async with MemoryBus() as bus:
        context = TokenContext(
            settings=settings,
            bus=bus,
            store=stores.token,
            keys=made.token_worker,
            public_keys=made.public,
            clock=SystemClock(),
            random=SystemRandom(),
            mint=Mint.of(made.token_worker, settings),
        )
        await insert_grant(stores, GRANT)
        for count in (2, 1):
            await record(stores, count)
            await auditing.seal(context, settled=-1)
        yield context


async def record(stores: Stores, count: int) -> None:
    async with stores.token.transaction() as transaction:
        for _ in range(count):
            await transaction.audit(EVENT)


async def verified(worker: TokenContext, *expected: str) -> Verified:
    found = Verified()
    async for each in verify(worker.settings, expected=expected):
        found = each
    return found


async def test_log_is_as_it_was_written(worker: TokenContext) -> None:
    """Two seals over three events; the digest of the last stands for all of them."""
    found = await verified(worker)
    again = await verified(worker, str(found.head))

    assert (2, 3, [], []) == (found.seals, found.events, found.faults, again.faults)


async def test_what_is_under_way_is_left_for_the_next_seal(worker: TokenContext, stores: Stores) -> None:
    """A transaction that began earlier may still write an event with a smaller number."""
    await record(stores, 1)

    assert 0 == await auditing.seal(worker)


async def test_two_workers_make_one_seal(worker: TokenContext, stores: Stores) -> None:
    """The second finds nothing to do."""
    await record(stores, 1)

    assert [1, 0] == [await auditing.seal(worker, settled=-1) for _ in range(2)]


async def test_long_log_is_sealed_in_parts(
    worker: TokenContext, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction reads more than a bounded number of events."""
    monkeypatch.setattr(auditing, "MOST_EVENTS", 2)
    await record(stores, 3)

    assert [2, 1, 0] == [await auditing.seal(worker, settled=-1) for _ in range(3)]
    assert [] == (await verified(worker)).faults


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("UPDATE audit_events SET kind = 'other' WHERE event_id = 1", "an event up to 2 was changed"),
        ("UPDATE audit_events SET detail = '{\"x\": 1}' WHERE event_id = 2", "event 2: household or detail"),
        ("UPDATE audit_events SET content_digest = 'x' WHERE event_id = 3", "an event up to 3 was changed"),
        ("DELETE FROM audit_events WHERE event_id = 3", "seal 2: 1 of 1 events are gone"),
        ("DELETE FROM audit_seals WHERE seal_id = 1", "the seal before seal 2 is missing"),
        ("UPDATE audit_seals SET digest = 'x' WHERE seal_id = 2", "seal 2: not signed"),
        ("UPDATE audit_seals SET at = 1 WHERE seal_id = 2", "seal 2: not signed"),
    ],
)
async def test_tampering_shows(worker: TokenContext, database_url: str, tampering: str, told: str) -> None:
    """Whoever changes rows has no key to seal them anew."""
    await execute(database_url, tampering)
    found = await verified(worker)

    assert any(told in fault for fault in found.faults), found.faults


async def test_log_that_was_cut_shows_by_a_digest_from_before(
    worker: TokenContext, database_url: str
) -> None:
    """What is left is genuine: only who noted the end of it can tell that more was there."""
    head = (await verified(worker)).head
    await execute(database_url, "DELETE FROM audit_seals WHERE seal_id = 2")
    await execute(database_url, "DELETE FROM audit_events WHERE event_id = 3")
    unaware, aware = await verified(worker), await verified(worker, str(head))

    assert [] == unaware.faults
    assert [f"no seal has the digest {head}: the log was written anew"] == aware.faults


async def test_erasing_an_account_breaks_nothing(worker: TokenContext, stores: Stores) -> None:
    """Households and details go; that something happened stays, and stays sealed."""
    async with stores.auth.transaction() as transaction:
        await transaction.forget_in_audit(GRANT.account_id)
    async with stores.token.transaction() as transaction:
        events = await transaction.recorded(after=0, limit=10)

    assert [(None, "{}")] * 3 == [(event.household_id, event.detail) for event in events]
    assert [] == (await verified(worker)).faults


async def test_old_events_go_and_are_not_missed(worker: TokenContext, database_url: str) -> None:
    """Only what is sealed; their seals stay."""
    await execute(database_url, "UPDATE audit_events SET at = 1 WHERE event_id < 3")
    assert 2 == await auditing.delete_old(worker)
    retention = worker.settings.retention.model_copy(update={"audit": -5})
    short = replace(worker, settings=worker.settings.model_copy(update={"retention": retention}))
    found = await verified(short)

    assert (2, 1, []) == (found.seals, found.events, found.faults)
