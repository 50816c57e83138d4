"""Tells the service of new links: a signed POST, at least once, again and again until it is taken.

The signature is that of Standard Webhooks, for which most languages have a library: HMAC-SHA256 over id, time and body.
Whoever receives it drops what has an id it knows already, and what is older than a few minutes.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from auth_worker.context import AuthContext
from auth_worker.providers.web import ProviderUnavailable, Web
from shared.domain.account import Account
from shared.domain.errors import LinkNotFound
from shared.messages import NoticeDue
from shared.storage.tries import Notice
from shared.worker import Retry


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


def body_of(notice: Notice, account: Account) -> bytes:
    """Return what is told, as JSON."""
    return msgspec.json.encode(
        {
            "type": notice.kind,
            "timestamp": datetime.fromtimestamp(notice.at, UTC).isoformat(),
            "data": {
                "service": notice.service,
                "grant_id": notice.grant_id,
                "household_id": notice.household_id,
                "account": {
                    "id": account.account_id,
                    "provider": account.provider,
                    "subject": account.subject,
                },
                "device": {"hardware": notice.hardware, "app_name": notice.app_name},
            },
        }
    )


async def deliver(message: NoticeDue, context: AuthContext) -> None:
    """Tell the service; a duplicate tells it again, under the same id."""
    if context.webhook is None:
        return
    async with context.store.transaction() as transaction:
        notice = await transaction.notice(message.notice_id)
        account = await transaction.account(notice.account_id) if notice else None
    if notice is None or account is None:
        raise LinkNotFound("the notice is gone: its account was erased, or its time is over")
    try:
        await context.webhook.send(notice.notice_id, body_of(notice, account), now=context.clock.now())
    except ProviderUnavailable as error:
        raise Retry(f"webhook not delivered: {error}") from None
