"""What becomes of notices: told at once, again and again while the receiver is down, once more when asked, never of what is gone."""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from auth_worker.context import AuthContext
from auth_worker.providers.web import ProviderUnavailable
from auth_worker.webhook import AT_A_TIME, deliver, tell_due
from shared.domain.errors import LinkNotFound
from shared.domain.notice import Notice
from shared.domain.revocation import Limits, Scope, Selection
from shared.messages import NoticeDue
from shared.storage.records import Changes
from tests.store_samples import ACCOUNT, GRANT, NOTICE, Stores, insert_grant
from token_worker import notices
from token_worker.revocation import end_page

DUE = NoticeDue(service="default", notice_id=NOTICE.notice_id)


@dataclass
class Receiver:
    """The way to the service, which may be down."""

    is_down: bool = False
    taken: list[str] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)

    async def send(self, message_id: str, body: bytes, *, now: int) -> None:
        if self.is_down:
            raise ProviderUnavailable("https://example.com/hook answered 503")
        self.taken.append(message_id)
        self.told.append(msgspec.json.decode(body))


async def put_notice(stores: Stores, *, seconds: int = 60) -> None:
    await insert_grant(stores, GRANT)
    async with stores.token.transaction() as transaction:
        for _ in range(2):
            now = transaction.now
            await transaction.insert_notice(replace(NOTICE, due_at=now + seconds, expires_at=now + 600))


async def row_of(stores: Stores, notice_id: str = NOTICE.notice_id) -> Notice | None:
    async with stores.auth.transaction() as reading:
        return await reading.notice(notice_id)


async def make_due(stores: Stores) -> None:
    async with stores.auth.transaction() as transaction:
        assert await transaction.notice_due(NOTICE.notice_id, seconds=0, attempts=1)


async def test_notice_is_told_once(stores: Stores, context: AuthContext) -> None:
    """By its event; a redelivered event, and the look for what is due, find it told."""
    await put_notice(stores)
    receiver = Receiver()
    telling = replace(context, webhook=receiver)
    for _ in range(2):
        await deliver(DUE, telling)
    due = await tell_due(telling)
    row = await row_of(stores)

    assert (0, [NOTICE.notice_id]) == (due, receiver.taken)
    assert row is not None
    assert row.due_at is None


async def test_receiver_that_is_down_is_told_later(stores: Stores, context: AuthContext) -> None:
    """The row says when, and how often it was tried; when the time has come it is told under the same id."""
    await put_notice(stores)
    receiver = Receiver(is_down=True)
    telling = replace(context, webhook=receiver)
    await deliver(DUE, telling)
    tried = await row_of(stores)
    before = await tell_due(telling)
    receiver.is_down = False
    await make_due(stores)
    after = await tell_due(telling)

    assert tried is not None
    assert (1, 0, 1) == (tried.attempts, before, after)
    assert [NOTICE.notice_id] == receiver.taken


async def test_notice_whose_event_was_lost_is_told(stores: Stores, context: AuthContext) -> None:
    """A worker that died between the commit and the event left the row."""
    await put_notice(stores, seconds=0)
    receiver = Receiver()
    await tell_due(replace(context, webhook=receiver))

    assert [NOTICE.notice_id] == receiver.taken


async def test_two_workers_share_what_is_due(stores: Stores) -> None:
    """What one has claimed, the other does not get."""
    await put_notice(stores, seconds=0)
    claims = []
    for _ in range(2):
        async with stores.auth.transaction() as transaction:
            claims.append(len(await transaction.claim_notices(seconds=60, limit=8)))

    assert [1, 0] == claims


async def test_more_than_a_round_is_told_in_rounds(stores: Stores, context: AuthContext) -> None:
    """Nobody's end gets more than a few at once."""
    await insert_grant(stores, GRANT)
    async with stores.token.transaction() as transaction:
        for number in range(AT_A_TIME + 1):
            await transaction.insert_notice(
                replace(NOTICE, notice_id=f"linked.{number}", due_at=transaction.now)
            )
    telling = replace(context, webhook=Receiver())

    assert [AT_A_TIME, 1, 0] == [await tell_due(telling) for _ in range(3)]


async def test_told_notice_is_told_again_when_asked(stores: Stores, context: AuthContext) -> None:
    """As `latchkey webhook replay` asks, under the same id."""
    await put_notice(stores)
    receiver = Receiver()
    telling = replace(context, webhook=receiver)
    await deliver(DUE, telling)
    await make_due(stores)
    await tell_due(telling)

    assert [NOTICE.notice_id] * 2 == receiver.taken


async def test_end_of_a_grant_is_told_with_its_reason(stores: Stores, context: AuthContext) -> None:
    """Who ended it, and whose it was; a second round of revocation has nothing new to tell."""
    await insert_grant(stores, GRANT)
    everything = Selection(service="default", scope=Scope.ALL)
    events = []
    for _ in range(2):
        ended = await end_page(stores.token, everything, Limits(), reason="operator", notices_kept=60)
        events.append(notices.due(ended.notices))
    receiver = Receiver()
    (event,) = events[0]
    await deliver(event, replace(context, webhook=receiver))
    (told,) = receiver.told

    assert [] == events[1]
    assert "grant.revoked" == told["type"]
    assert ("operator", GRANT.household_id, ACCOUNT.subject) == (
        told["data"]["reason"],
        told["data"]["household_id"],
        told["data"]["account"]["subject"],
    )


async def test_erased_account_is_told_and_then_forgotten(stores: Stores, context: AuthContext) -> None:
    """The notice outlives the account, says whose it was, and forgets that when it was taken."""
    await insert_grant(stores, GRANT)
    async with stores.token.transaction() as transaction:
        told = notices.erased(ACCOUNT, at=transaction.now, kept=60)
        await transaction.insert_notice(told[0])
        await transaction.erase_account(ACCOUNT.account_id)
    receiver = Receiver()
    (event,) = notices.due(told)
    await deliver(event, replace(context, webhook=receiver))
    row = await row_of(stores, event.notice_id)

    assert [{"provider": ACCOUNT.provider, "subject": ACCOUNT.subject}] == [
        body["data"]["account"] for body in receiver.told
    ]
    assert row is not None
    assert (None, None) == (row.provider, row.subject)


async def test_refreshes_bring_their_notices(stores: Stores) -> None:
    """What judging many tokens came to is written with all the rest of it."""
    await insert_grant(stores, GRANT)
    await stores.token.write(Changes(notices=[NOTICE]))

    assert NOTICE == await row_of(stores)


async def test_notice_that_is_gone_is_not_made_up(stores: Stores, context: AuthContext) -> None:
    """After its account was erased, or its time was over, nothing is told, and the log says so."""
    receiver = Receiver()
    with pytest.raises(LinkNotFound):
        await deliver(DUE, replace(context, webhook=receiver))

    assert [] == receiver.taken


async def test_notice_ends_with_its_time(stores: Stores) -> None:
    """Retention takes it when its time is over."""
    await put_notice(stores)
    async with stores.token.transaction() as transaction:
        old = replace(NOTICE, notice_id="linked.old", expires_at=transaction.now)
        await transaction.insert_notice(old)
        deleted = await transaction.delete_expired(links_before=0, limit=10)

    assert 1 == deleted
    assert await row_of(stores) is not None
    assert await row_of(stores, "linked.old") is None
