"""What the service is told, to be written in the transaction in which it happens: nothing where it wants to be told of nothing."""

from collections.abc import Iterable
from typing import Any

from shared.domain.account import Account
from shared.domain.grant import Grant
from shared.domain.link import Link
from shared.domain.notice import FIRST_TELLING, Notice, NoticeKind, notice_id
from shared.messages import NoticeDue
from shared.settings import Settings


def kept(settings: Settings) -> int | None:
    """Return for how many seconds notices are kept, and told again; None where nobody is told."""
    return settings.retention.notices if settings.webhook else None


def linked(link: Link, grant: Grant, *, at: int, kept: int | None) -> list[Notice]:
    """Return the notice that a household was linked; the same however often the link's approval is handled."""
    said = {"hardware": link.device.hardware, "app_name": link.device.app_name}
    return _notices(NoticeKind.LINKED, link.link_id, at=at, kept=kept, **_of(grant), **said)


def of_grant(
    kind: NoticeKind, grant: Grant, *, at: int, kept: int | None, reason: str | None = None
) -> list[Notice]:
    """Return the notice that this happened to a family of a grant; it happens once to each."""
    return _notices(kind, grant.grant_id, grant.family, at=at, kept=kept, **_of(grant), reason=reason)


def erased(account: Account, *, at: int, kept: int | None) -> list[Notice]:
    """Return the notice that an account is gone."""
    said = {"account_id": None, "provider": account.provider, "subject": account.subject}
    return _notices(NoticeKind.ERASED, account.account_id, at=at, kept=kept, service=account.service, **said)


def due(notices: Iterable[Notice], correlation_id: str = "") -> list[NoticeDue]:
    """Return the events that tell of notices once they are committed."""
    return [
        NoticeDue(service=notice.service, notice_id=notice.notice_id, correlation_id=correlation_id)
        for notice in notices
    ]


def _of(grant: Grant) -> dict[str, Any]:
    return {
        "service": grant.service,
        "account_id": grant.account_id,
        "household_id": grant.household_id,
        "grant_id": grant.grant_id,
    }


def _notices(kind: NoticeKind, *what: str | int, at: int, kept: int | None, **said: Any) -> list[Notice]:
    if kept is None:
        return []
    notice = Notice(
        notice_id=notice_id(kind, *what),
        kind=kind,
        at=at,
        due_at=at + FIRST_TELLING,
        expires_at=at + kept,
        **said,
    )
    return [notice]
