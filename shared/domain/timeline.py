"""From rows to the story of one link: what happened when, in words. Where it stopped, and why, is told by `stops`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.grant import GrantStatus
from shared.domain.link import Link, LinkState
from shared.domain.sight import Sight, Sighting

STAGES = ("requested", "opened", "signed in", "allowed", "linked", "picked up", "used")
"""How far a link can come; whoever is at one has been at all before it."""

EVENTS = {
    "link.requested": "Sonos was given a link code",
    "link.vouched": "the service's back end asked for it, for a person it had signed in",
    "link.declined": "the person declined",
    "link.superseded": "the same device asked for a newer link",
    "link.linked": "a token was minted",
    "link.not_allowed": "the account had been disabled meanwhile: no token",
    "authenticated": "signed in",
    "refused": "signing in was refused: wrong name or password, or a token that does not hold",
    "not_allowed": "signing in was refused: this account may not be used",
    "taken": "somebody signed in, but another browser or account already had the link",
    "incomplete": "what came back from the provider proved nothing",
    "unavailable": "the identity provider could not be asked",
    "limited": "signing in was not looked at: too many wrong passwords lately",
}
"""Kind of an audit event, or what follows `login.` and `app.` in it -> words."""

SIGHTS = {
    Sight.PAGE: "the page was opened",
    Sight.SENT: "somebody sent evidence of who they are",
    Sight.LIMITED: "a form was not sent on: too many wrong passwords lately",
    Sight.LEFT: "the browser went to the provider",
    Sight.AWAY: "the browser could not go to the provider",
    Sight.TURNED_AWAY: "the provider sent the browser back with an error",
    Sight.ALLOWED: "the person allowed it",
    Sight.RETRY: "Sonos polled, and was told to ask again",
    Sight.FAILURE: "Sonos polled, and was told that it is over",
    Sight.UNAVAILABLE: "Sonos polled, and could not be answered",
    Sight.WRONG_DEVICE: "Sonos polled without the linkDeviceId that it was given",
    Sight.DELIVERED: "Sonos polled, and was given the token",
    Sight.USED: "first call with the token",
}

_ORDER = tuple(Sight)
_IN_A_SECOND = (
    "link.requested",
    "link.vouched",
    "seen.page",
    "seen.left",
    "seen.sent",
    "",
    "seen.allowed",
    "link.linked",
    "seen.delivered",
    "seen.used",
)
"""What causes something comes before it; anything else stands where nothing is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that a worker did to a link, as the audit has it."""

    at: int
    kind: str
    """As in `audit_events`, such as `login.refused`."""
    detail: Mapping[str, str | int | bool] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """Return how evidence was judged; empty for any other kind."""
        source, _, outcome = self.kind.partition(".")
        if source not in {"login", "app"}:
            return ""
        return "taken" if self.detail.get("taken") else outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """All that is known of one link."""

    link: Link
    happened: tuple[Happened, ...]
    """In the order in which it was written."""
    sightings: tuple[Sighting, ...]
    grant: GrantStatus | None
    """What became of the grant; None before there was one, or when it was erased."""
    now: int
    """The database's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a timeline. Times are seconds since the epoch."""

    at: int
    kind: str
    words: str
    times: int = 1
    last_at: int


def steps(trail: Trail) -> tuple[Step, ...]:
    """Return what happened, by time; what gateways saw goes by their clocks, the rest by the database's."""
    link = trail.link
    found = [_step(event) for event in trail.happened]
    # A gateway's clock may be a little ahead: nobody sees a link before it is asked for.
    found += [_seen(sighting, link) for sighting in merged(trail.sightings).values()]
    if link.state_at(trail.now) is LinkState.EXPIRED and trail.now >= link.expires_at:
        found.append(
            Step(at=link.expires_at, last_at=link.expires_at, kind="expired", words="its time was over")
        )
    return tuple(sorted(found, key=lambda step: (step.at, _rank(step.kind))))


def merged(sightings: Iterable[Sighting]) -> dict[Sight, Sighting]:
    """Return what all gateways saw together."""
    together: dict[Sight, Sighting] = {}
    for each in sightings:
        other = together.get(each.sight)
        together[each.sight] = each if other is None else _both(other, each)
    return {sight: together[sight] for sight in _ORDER if sight in together}


def _rank(kind: str) -> int:
    """Return what comes first of two steps in one second."""
    return _IN_A_SECOND.index(kind if kind in _IN_A_SECOND else "")


def _both(one: Sighting, other: Sighting) -> Sighting:
    return Sighting(
        link_id=one.link_id,
        service=one.service,
        observer="",
        sight=one.sight,
        times=one.times + other.times,
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        note=one.note or other.note,
    )


def _step(event: Happened) -> Step:
    words = EVENTS.get(event.outcome or event.kind, event.kind)
    return Step(
        at=event.at, last_at=event.at, kind=event.kind, words=" ".join((words, *_details(event.detail)))
    )


def _details(detail: Mapping[str, str | int | bool]) -> Iterator[str]:
    if "provider" in detail:
        yield f"({detail['provider']})"
    if "wait" in detail:
        yield f"(to wait {detail['wait']} s)"


def _seen(sighting: Sighting, link: Link) -> Step:
    return Step(
        at=max(sighting.first_at, link.requested_at),
        last_at=max(sighting.last_at, link.requested_at),
        kind=f"seen.{sighting.sight}",
        words=SIGHTS[sighting.sight] + _noted(sighting, link),
        times=sighting.times,
    )


def _noted(sighting: Sighting, link: Link) -> str:
    if sighting.sight is Sight.DELIVERED:
        is_same = sighting.note in {"", link.household_id}
        return "" if is_same else f", as household {sighting.note}"
    return f": {sighting.note}" if sighting.note else ""
