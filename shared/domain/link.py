r"""A link: one attempt of one household to get into one account.

    requested -> authenticated -> linked
        \\________________\\____-> declined | failed | expired

Every rule takes the link as it is and returns the link as it shall be. Where nothing changes it returns the *same* object:
the event was a duplicate, and its follow-up is only told again. `version` grows by one with each change and is what the
store compares before it swaps.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from shared.domain import errors

BACK_END = "back-end"
"""In place of a browser: the service's own back end has signed the person in. No browser's hash looks like this."""

ORDER_SECONDS = 10
"""Links that were asked for closer together may be one request that was sent twice, and may be written in any order."""
APP = "app"
"""In place of a browser: the service's own app says no, and nobody has signed in."""


def app_of(account_id: str) -> str:
    """Return what stands in place of a browser where an account's own app has signed in: another account is another browser."""
    return f"{APP}:{account_id}"


class LinkState(StrEnum):
    """Where a link stands."""

    REQUESTED = "requested"
    """Sonos holds a code; nobody has signed in."""
    AUTHENTICATED = "authenticated"
    """A browser has signed in and may now allow or decline."""
    LINKED = "linked"
    """A token was minted; polls deliver it until the link expires."""
    DECLINED = "declined"
    """The person said no."""
    FAILED = "failed"
    """Too many wrong passwords."""
    EXPIRED = "expired"
    """An unfinished link whose time is over. Stored only where its time was cut short: it gave way to a newer one."""


_UNFINISHED = frozenset({LinkState.REQUESTED, LinkState.AUTHENTICATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What the asking device told about itself; shown to the person, never trusted."""

    hardware: str = ""
    os_version: str = ""
    app_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a link stands: what a poll has to know of it, and no more. Times are seconds since the epoch by the database's clock."""

    link_id: str
    state: LinkState
    expires_at: int

    def state_at(self, now: int) -> LinkState:
        """Return the state that counts at *now*: an unfinished link expires by itself."""
        return LinkState.EXPIRED if self.state in _UNFINISHED and now >= self.expires_at else self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Standing):
    """One row of `links`."""

    service: str
    household_id: str
    device: Device
    callback_path: str
    requested_at: int
    account_id: str | None = None
    browser: str | None = None
    """Hash of the secret in the cookie of the browser that signed in."""
    grant_id: str | None = None
    version: int = 1
    network: str | None = None
    """Keyed hash of the address prefix from which the link was asked for, if that tells anything."""


def authenticate(link: Link, *, account_id: str, browser: str, now: int) -> Link:
    """Record who signed in, and from which browser.

    The same browser may sign in again as somebody else until it has approved; another browser may not.

    Raises:
        LinkFailed: the link is over, or another browser has it.
    """
    _refuse_if_over(link, now)
    if link.state is LinkState.LINKED:
        raise errors.LinkTaken
    if link.browser not in {None, browser}:
        raise errors.LinkTaken
    if link.state is LinkState.AUTHENTICATED and link.account_id == account_id:
        return link
    return replace(
        link, state=LinkState.AUTHENTICATED, account_id=account_id, browser=browser, version=link.version + 1
    )


def approve(link: Link, *, browser: str, grant_id: str, now: int) -> Link:
    """Let the account that signed in be linked; only its own browser may.

    Raises:
        LinkPending: nobody has signed in yet.
        LinkFailed: the link is over, or another browser has it.
    """
    _refuse_if_over(link, now)
    if link.state is LinkState.REQUESTED:
        raise errors.LinkPending
    if link.browser != browser:
        raise errors.LinkTaken
    if link.state is LinkState.LINKED:
        return link
    return replace(link, state=LinkState.LINKED, grant_id=grant_id, version=link.version + 1)


def decline(link: Link, *, browser: str, now: int) -> Link:
    """End the link because the person said no.

    Raises:
        LinkFailed: the link is over or done, or another browser has it.
    """
    if link.state is LinkState.DECLINED:
        return link
    _refuse_if_over(link, now)
    if link.state is LinkState.LINKED or link.browser not in {None, browser}:
        raise errors.LinkTaken
    return replace(link, state=LinkState.DECLINED, version=link.version + 1)


def burn(link: Link, *, failures: int, limit: int, now: int) -> Link:
    """End a link on which *failures* passwords were wrong, once they reach *limit*."""
    return link if failures < limit else fail(link, now=now)


def supersedes(new: Link, old: Link, *, asked_seconds_ago: int) -> bool:
    """Tell whether the asking device has begun anew, so that nobody can be waiting for the older link any more.

    Never a link that somebody has signed in to, never for a device that did not say what it is, and not where the two came so close
    together, or the newer one so late, that their order is in doubt (docs/decisions/0016).
    """
    return (
        old.state is LinkState.REQUESTED
        and (old.service, old.household_id, old.device) == (new.service, new.household_id, new.device)
        and new.device != Device()
        and new.requested_at - old.requested_at >= ORDER_SECONDS
        and abs(asked_seconds_ago) < ORDER_SECONDS
    )


def supersede(link: Link) -> Link:
    """End a link that nobody has signed in to, since its device has a newer one."""
    return replace(link, state=LinkState.EXPIRED, version=link.version + 1)


def fail(link: Link, *, now: int) -> Link:
    """End a link that may not succeed; one that is over already stays as it is."""
    if link.state_at(now) not in {LinkState.REQUESTED, LinkState.AUTHENTICATED}:
        return link
    return replace(link, state=LinkState.FAILED, version=link.version + 1)


def polled(link: Standing | None, *, now: int) -> Standing:
    """Return the linked link whose token may be delivered to a poll.

    A missing row is pending, not unknown: the code's MAC was genuine, so auth_worker has yet to write it.

    Raises:
        LinkPending: not finished, ask again.
        LinkFailed: will never succeed. A linked link delivers until it expires, since answers get lost on the way.
    """
    if link is None:
        raise errors.LinkPending
    _refuse_if_over(link, now)
    if link.state is not LinkState.LINKED:
        raise errors.LinkPending
    if now >= link.expires_at:
        raise errors.LinkExpired
    return link


_OVER = {
    LinkState.DECLINED: errors.LinkDeclined,
    LinkState.FAILED: errors.LinkBurnt,
    LinkState.EXPIRED: errors.LinkExpired,
}


def _refuse_if_over(link: Standing, now: int) -> None:
    if refusal := _OVER.get(link.state_at(now)):
        raise refusal
