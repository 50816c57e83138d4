"""What the household page says of an account's systems and of what happened to them: pure functions from rows to words."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.pages import languages, present
from gateway.pages.languages import N_, ngettext
from gateway.pages.languages import gettext as _
from shared.domain.visit import VisitOutcome
from shared.storage.records import AttemptOutcome
from shared.storage.visits import AuditView, SystemView

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

EVENTS = {
    "account.disabled": N_("The account was disabled"),
    "account.ended": N_("The account was ended by the music service"),
    "account.enabled": N_("The account was enabled again"),
    "account.gone": N_("The account was ended by the music service"),
    "account.password_set": N_("The password was set anew"),
    "grant.revoked": N_("A Sonos system was unlinked"),
    "grant.upgraded": N_("A Sonos system was moved to safer credentials"),
    "household.signed_in": N_("Somebody signed in to this page"),
    "household.erase_signed_in": N_("Somebody signed in to erase the account"),
    "link.linked": N_("A Sonos system was linked"),
    "link.not_allowed": N_("A Sonos system was not linked, since the account was disabled"),
    "link.vouched": N_("The music service linked a Sonos system"),
    "login.authenticated": N_("Somebody signed in to link a Sonos system"),
    "session.opened": N_("A Sonos system signed in"),
    "token.reuse_detected": N_("An old key of a Sonos system came back and was refused"),
    "upgrade.accepted": N_("A Sonos system showed earlier credentials"),
}
"""Kind of an audit event that names an account -> what people are told."""

NOTICES = {
    "ended": N_("Your visit is over. Please sign in again."),
    "signed_out": N_("You are signed out."),
    "unlinked": N_("It is unlinked."),
    "under_way": N_("It is being unlinked. This takes a moment longer than usual."),
}
"""Word in the address -> what is said on top of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A linked system, in words."""

    grant_id: str
    title: str
    linked: str
    used: str
    device: str
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A security event, in words."""

    words: str
    system: str
    when: str


def systems(views: Sequence[SystemView], now: int) -> tuple[System, ...]:
    """Return what to show of each system, the one used last first."""
    latest_first = sorted(views, key=lambda view: (-view.grant.used_at, view.grant.grant_id))
    return tuple(
        System(
            grant_id=view.grant.grant_id,
            title=_system(view.grant.household_id),
            linked=languages.date(view.grant.family_started_at),
            used=ago(now - view.grant.used_at),
            device=present.device(view.origin.device) if view.origin else "",
            network=_network(view.origin.network) if view.origin else "",
        )
        for view in latest_first
    )


def happenings(events: Sequence[AuditView], now: int) -> tuple[Happening, ...]:
    """Return what to show of each event that is meant for people, latest first as they come."""
    return tuple(
        Happening(
            words=_(EVENTS[event.kind]),
            system=_system(event.household_id) if event.household_id else "",
            when=ago(now - event.at),
        )
        for event in events
        if event.kind in EVENTS
    )


def notice(said: str | None) -> str | None:
    """Return what is said on top of the page, or None."""
    return _(NOTICES[said]) if said in NOTICES else None


def problem(outcome: VisitOutcome, provider: str) -> str | None:
    """Return what went wrong when somebody signed in, in words, or None."""
    if outcome is VisitOutcome.REFUSED:
        return _("That name and password do not match.")
    if outcome is VisitOutcome.OPEN:
        return None
    return present.not_judged(AttemptOutcome(outcome.value), provider)


def ago(seconds: int) -> str:
    """Return how long ago something was, in its largest unit."""
    if seconds < _MINUTE:
        return _("less than a minute ago")
    if seconds < _HOUR:
        return ngettext("a minute ago", "%(num)d minutes ago", seconds // _MINUTE)
    if seconds < _DAY:
        return ngettext("an hour ago", "%(num)d hours ago", seconds // _HOUR)
    return ngettext("a day ago", "%(num)d days ago", seconds // _DAY)


def _system(household_id: str) -> str:
    end = present.system(household_id)
    return _("Sonos system ending in %(end)s", end=end) if end else _("Sonos system")


def _network(prefix: str) -> str:
    """Return an address prefix as people may have seen their address: without its end."""
    try:
        network = ipaddress.ip_network(prefix)
    except ValueError:
        return ""
    address = str(network.network_address)
    return f"{address.rpartition('.')[0]}.x" if network.version == 4 else f"{address}x"
