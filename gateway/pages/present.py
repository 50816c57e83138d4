"""What a page says about a link: pure functions from rows to words."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.pages.languages import N_, ngettext
from gateway.pages.languages import gettext as _
from shared.domain.link import Device, Link, LinkState
from shared.settings import LOCAL, ProviderSettings, ServiceSettings
from shared.storage.records import AttemptOutcome, LinkView

_CALLBACK = re.compile(r"sonos(-2)?://[\x21-\x7e]{1,2048}")

_PHONES = (
    ("ipad", N_("an iPad")),
    ("iphone", N_("an iPhone")),
    ("icru_", N_("an iPhone or iPad")),
    ("acr_", N_("an Android phone")),
    ("google", N_("an Android phone")),
    ("samsung", N_("an Android phone")),
    ("windows", N_("a Windows computer")),
    ("wdcr", N_("a Windows computer")),
    ("mac", N_("a Mac")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks to be linked, in words."""

    device: str
    system: str
    age: str
    network: str | None = None
    """From where, compared with this browser; None where that is not known."""


def asker(link: Link, now: int, *, networks: Sequence[str | None] = ()) -> Asker:
    """Return what to tell a person about the request they are asked to allow.

    Args:
        link: the link.
        now: by the database's clock.
        networks: what may stand for this browser's own network.
    """
    return Asker(
        device=device(link.device),
        system=system(link.household_id),
        age=_age(now - link.requested_at),
        network=_network(link.network, networks),
    )


def page_of(view: LinkView | None, *, browser: str, submission: str | None, approved: bool) -> str:
    """Return the name of the page that fits a link as it is, seen from one browser.

    Args:
        view: the link; None while auth_worker has not written it yet.
        browser: this browser's id for the link.
        submission: an attempt of this browser that may not be judged yet.
        approved: whether this browser has just allowed the link.
    """
    if view is None:
        return "waiting"
    mine = view.link.browser == browser
    state = view.link.state_at(view.now)
    if state is LinkState.REQUESTED:
        judged = {attempt.submission_id for attempt in view.attempts}
        return "waiting" if submission and submission not in judged else "sign_in"
    if state is LinkState.AUTHENTICATED and mine:
        return "waiting" if approved else "confirm"
    if state in {LinkState.AUTHENTICATED, LinkState.LINKED} and not mine:
        return "taken"
    return _ENDS[state]


_ENDS = {
    LinkState.LINKED: "done",
    LinkState.DECLINED: "declined",
    LinkState.FAILED: "failed",
    LinkState.EXPIRED: "expired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the places where a person may sign in."""

    name: str
    title: str
    address: str


def chosen(providers: Mapping[str, ProviderSettings], name: str | None) -> str | None:
    """Return the provider whose form is shown: the one that was asked for, or the only one there is."""
    known = name if name in providers else None
    return known or (next(iter(providers)) if len(providers) == 1 else None)


def choices(
    providers: Mapping[str, ProviderSettings], service: ServiceSettings, address: Callable[[str], str]
) -> tuple[Choice, ...]:
    """Return what to offer; nothing where there is only one place to sign in."""
    offered = tuple(
        Choice(name=name, title=title(providers, name, service), address=address(name)) for name in providers
    )
    return offered if len(offered) > 1 else ()


def title(providers: Mapping[str, ProviderSettings], name: str | None, service: ServiceSettings) -> str:
    """Return what people call the accounts of a provider."""
    if name is None or name == LOCAL or len(providers) == 1:
        return (providers[name].title if name else "") or service.title
    # Several without a title could not be told apart.
    return providers[name].title or name.replace("-", " ").capitalize()


def sign_in_problem(view: LinkView, *, submission: str | None, limit: int, provider: str) -> str | None:
    """Return what went wrong with this browser's last attempt, in words, or None."""
    outcomes = {attempt.submission_id: attempt.outcome for attempt in view.attempts}
    outcome = outcomes.get(submission or "")
    if outcome is not AttemptOutcome.REFUSED:
        return not_judged(outcome, provider)
    failures = sum(attempt.outcome is AttemptOutcome.REFUSED for attempt in view.attempts)
    return ngettext(
        "That name and password do not match. You have one more try.",
        "That name and password do not match. You have %(num)d more tries.",
        limit - failures,
    )


def not_judged(outcome: AttemptOutcome | None, provider: str) -> str | None:
    """Return why somebody was not let in whose password may well be right, in words, or None."""
    if outcome is AttemptOutcome.UNAVAILABLE:
        return _(
            "%(provider)s could not check your account just now. Nothing is lost: please try again in a moment. If it stays like this, tell whoever runs it.",
            provider=provider,
        )
    if outcome is AttemptOutcome.NOT_ALLOWED:
        return _(
            "%(provider)s knows you, but does not allow this account to be used with Sonos. Ask whoever runs it, or sign in with another account.",
            provider=provider,
        )
    if outcome is AttemptOutcome.INCOMPLETE:
        return _(
            "%(provider)s did not confirm who you are: what it sent was used already, or is too old. Please sign in again.",
            provider=provider,
        )
    return None


def wrong_code() -> str:
    """Return what is said of every typed code that opens nothing: which are live, and which were, is nobody's business."""
    return _(
        "No Sonos system is waiting for this code. Compare the letters, or start again in the Sonos app to get a new one."
    )


def too_many(seconds: int) -> str:
    """Return how long somebody has to wait who has tried too often."""
    return ngettext(
        "Please wait a minute and try again.",
        "Please wait %(num)d minutes and try again.",
        -(-seconds // 60),
    )


def way_problem(went: str, *, provider: str, is_link: bool = True) -> str | None:
    """Return what became of a way to a provider, in words, or None."""
    if went == "away":
        return _(
            "%(provider)s cannot be reached just now. Nothing is lost: please try again in a moment.",
            provider=provider,
        )
    if went == "denied" and not is_link:
        return _("You did not sign in at %(provider)s. You can try again.", provider=provider)
    if went == "denied":
        return _(
            "You did not sign in at %(provider)s. Nothing was linked; you can try again, or decline below.",
            provider=provider,
        )
    if went == "wrong":
        return _(
            "%(provider)s could not sign you in. Nothing is lost: please try again in a moment.",
            provider=provider,
        )
    return None


def is_limited(view: LinkView, submission: str | None) -> bool:
    """Tell whether this browser's last attempt was not looked at, since there were too many."""
    return any(
        attempt.submission_id == submission and attempt.outcome is AttemptOutcome.LIMITED
        for attempt in view.attempts
    )


def way_back(callback_path: str) -> str | None:
    """Return the address that opens the Sonos app again, exactly as Sonos gave it, or None if it is not one of Sonos's."""
    return callback_path if _CALLBACK.fullmatch(callback_path) else None


def device(device: Device) -> str:
    """Return what people call the device that asked."""
    told = f"{device.hardware} {device.app_name}".lower()
    for sign, words in _PHONES:
        if sign in told:
            return _(words)
    return _("a device that did not say what it is")


def _network(asked_from: str | None, here: Sequence[str | None]) -> str | None:
    """Return whether the request came from the network of this browser: a hint, which people on a mobile network do without."""
    if asked_from is None or None in here or not here:
        return None
    if asked_from in here:
        return _("the network that this device is on")
    return _(
        "another network than this device is on. That is normal with mobile data, with a VPN, or when the Sonos app is somewhere else. If somebody sent you this page, decline"
    )


def system(household_id: str) -> str:
    """Return the end of the household id before any account suffix, as people can compare it in the Sonos app; empty if there is none."""
    base = re.split(r"[._]", household_id.removeprefix("Sonos_"))[0]
    return base[-4:].upper() if len(base) >= 8 else ""


def _age(seconds: int) -> str:
    if seconds < 60:
        return _("less than a minute ago")
    return ngettext("a minute ago", "%(num)d minutes ago", seconds // 60)
