"""What becomes of a notice whose receiver is down, or that is gone."""

from dataclasses import dataclass, field, replace

import pytest

from auth_worker.context import AuthContext
from auth_worker.providers.web import ProviderUnavailable
from auth_worker.webhook import deliver
from shared.domain.errors import LinkNotFound
from shared.messages import NoticeDue
from shared.worker import Retry
from tests.store_samples import GRANT, NOTICE, Stores, insert_grant

DUE = NoticeDue(service="default", notice_id=NOTICE.notice_id)


@dataclass
class Receiver:
    """The way to the service, which may be down."""

    is_down: bool = False
    taken: list[str] = field(default_factory=list)

    async def send(self, message_id: str, body: bytes, *, now: int) -> None:
        if self.is_down:
            raise ProviderUnavailable("https://example.com/hook answered 503")
        self.taken.append(message_id)


async def put_notice(stores: Stores) -> None:
    await insert_grant(stores, GRANT)
    async with stores.token.transaction() as transaction:
        for _ in range(2):
            await transaction.insert_notice(NOTICE, expires_at=transaction.now + 60)


async def test_receiver_that_is_down_is_tried_again(stores: Stores, context: AuthContext) -> None:
    """The bus brings the event again, up to its limit, and keeps it with the reason; a duplicate tells the same id."""
    await put_notice(stores)
    receiver = Receiver(is_down=True)
    telling = replace(context, webhook=receiver)
    with pytest.raises(Retry, match="answered 503"):
        await deliver(DUE, telling)
    receiver.is_down = False
    for _ in range(2):
        await deliver(DUE, telling)

    assert [NOTICE.notice_id] * 2 == receiver.taken


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
        await transaction.insert_notice(replace(NOTICE, notice_id="linked.old"), expires_at=transaction.now)
        deleted = await transaction.delete_expired(links_before=0, limit=10)
    async with stores.auth.transaction() as reading:
        left = [await reading.notice(notice_id) for notice_id in (NOTICE.notice_id, "linked.old")]

    assert (1, [NOTICE, None]) == (deleted, left)
