"""Tells the service what happened: a signed POST, at least once, again and again until it is taken.

What is to be told stands in `notices`, written together with what happened. An event tells of it at once; what that did not
achieve is done from the rows.

The signature is that of Standard Webhooks, for which most languages have a library: HMAC-SHA256 over id, time and body.
Whoever receives it drops what has an id it knows already, and what is older than a few minutes.
"""

import asyncio
import base64
import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from auth_worker.context import AuthContext
from auth_worker.providers.web import ProviderUnavailable, Web
from shared.domain.errors import LinkNotFound
from shared.domain.notice import FIRST_TELLING, Notice, wait
from shared.messages import NoticeDue
from shared.storage.base import StoreUnavailable

AT_A_TIME = 8
"""Notices that are told at once."""
INTERVAL = 2.0
"""Seconds between two looks for notices that are due."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """The service's own end."""

    url: str
    key: bytes
    web: Web

    async def send(self, message_id: str, body: bytes, *, now: int) -> None:
        """Deliver one message.

        Raises:
            ProviderUnavailable: not taken; the message says why.
        """
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self.key, message_id, now, body),
        }
        # Raw: what is sent is what was signed, byte for byte.
        answer = await self.web.send("POST", self.url, json=msgspec.Raw(body), headers=headers)
        if not 200 <= answer.status < 300:
            raise ProviderUnavailable(f"{self.url} answered {answer.status}")

    def __repr__(self) -> str:
        return f"Webhook(url={self.url!r})"


def signature(key: bytes, message_id: str, now: int, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    signed = f"{message_id}.{now}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def body_of(notice: Notice, *, provider: str, subject: str) -> bytes:
    """Return what is told, as JSON."""
    data = {
        "service": notice.service,
        "grant_id": notice.grant_id,
        "household_id": notice.household_id,
        "account": _said(id=notice.account_id, provider=provider, subject=subject),
        "device": _said(hardware=notice.hardware, app_name=notice.app_name),
        "reason": notice.reason,
    }
    return msgspec.json.encode(
        {
            "type": notice.kind.value,
            "timestamp": datetime.fromtimestamp(notice.at, UTC).isoformat(),
            # Each kind has what there is to say of it.
            "data": _said(**data),
        }
    )


def _said(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


async def deliver(message: NoticeDue, context: AuthContext) -> None:
    """Tell of a notice that was written just now, unless it was told meanwhile."""
    async with context.store.transaction() as transaction:
        notice = await transaction.notice(message.notice_id)
    if notice is None:
        raise LinkNotFound("the notice is gone: its account was erased, or its time is over")
    if notice.due_at is not None:
        await _tell(notice, context)


async def run(context: AuthContext, *, stop: asyncio.Event) -> None:
    """Tell of notices that are due, until *stop* is set: those that nobody took, and those whose event was lost."""
    while not stop.is_set() and context.webhook is not None:
        try:
            count = await tell_due(context)
        except StoreUnavailable as error:
            log.warning("notices postponed", reason=str(error))
            count = 0
        if count < AT_A_TIME:
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await stop.wait()


async def tell_due(context: AuthContext) -> int:
    """Tell of what is due now, a bounded number at once, and return how many were due."""
    async with context.store.transaction() as transaction:
        due = await transaction.claim_notices(seconds=FIRST_TELLING, limit=AT_A_TIME)
    await asyncio.gather(*(_tell(notice, context) for notice in due))
    return len(due)


async def _tell(notice: Notice, context: AuthContext) -> None:
    if context.webhook is None:
        return
    provider, subject = notice.provider, notice.subject
    if notice.account_id is not None:
        async with context.store.transaction() as transaction:
            account = await transaction.account(notice.account_id)
        if account is None:
            return  # erased meanwhile, and the notice with it
        provider, subject = account.provider, account.subject
    body = body_of(notice, provider=provider or "", subject=subject or "")
    try:
        await context.webhook.send(notice.notice_id, body, now=context.clock.now())
    except ProviderUnavailable as error:
        attempts = notice.attempts + 1
        log.warning("notice not taken", notice_id=notice.notice_id, attempts=attempts, reason=str(error))
        async with context.store.transaction() as transaction:
            await transaction.notice_due(notice.notice_id, seconds=wait(attempts), attempts=attempts)
    else:
        async with context.store.transaction() as transaction:
            await transaction.notice_told(notice.notice_id)
