"""A link's trail, as the table of ways to stop asks about it."""

import shlex
from functools import cached_property

from shared.domain.link import LinkState
from shared.domain.sight import Sight
from shared.domain.timeline import Happened, Trail, merged
from shared.domain.words import counted, spelt

_POLLS = (Sight.RETRY, Sight.FAILURE, Sight.UNAVAILABLE, Sight.WRONG_DEVICE, Sight.DELIVERED)


class Facts:
    """A trail, as the table asks about it."""

    def __init__(self, trail: Trail) -> None:
        self.link, self.now, self.grant = trail.link, trail.now, trail.grant
        self.happened = trail.happened
        self.seen = merged(trail.sightings)

    @property
    def state(self) -> LinkState:
        """Return the state that counts now."""
        return self.link.state_at(self.now)

    @property
    def is_signed_in(self) -> bool:
        """Tell whether somebody ever signed in."""
        return self.link.account_id is not None

    @property
    def is_open(self) -> bool:
        """Tell whether something may still come by itself."""
        unfinished = self.state in {LinkState.REQUESTED, LinkState.AUTHENTICATED, LinkState.LINKED}
        return unfinished and self.now < self.link.expires_at

    @cached_property
    def judged(self) -> tuple[Happened, ...]:
        """Return how evidence was judged, each time."""
        return tuple(event for event in self.happened if event.outcome)

    @property
    def outcome(self) -> str:
        """Return how it was judged the last time."""
        return self.judged[-1].outcome if self.judged else ""

    @property
    def provider(self) -> str:
        """Return the provider of the last attempt, or to which a browser went."""
        named = [str(event.detail["provider"]) for event in self.judged if "provider" in event.detail]
        return (named or [self.note(Sight.LEFT) or self.note(Sight.AWAY) or "the provider"])[-1]

    @property
    def linked_at(self) -> int:
        """Return when the token was minted."""
        minted = [event.at for event in self.happened if event.kind == "link.linked"]
        return minted[-1] if minted else self.link.requested_at

    @property
    def polls(self) -> int:
        """Return how often Sonos asked."""
        return sum(self.times(sight) for sight in _POLLS)

    def did(self, kind: str) -> bool:
        """Tell whether such an event is on record."""
        return any(event.kind == kind for event in self.happened)

    def saw(self, *sights: Sight) -> bool:
        """Tell whether any of them was seen."""
        return any(sight in self.seen for sight in sights)

    def times(self, sight: Sight) -> int:
        """Return how often it was seen."""
        return self.seen[sight].times if sight in self.seen else 0

    def note(self, sight: Sight) -> str:
        """Return what was noted beside it."""
        return self.seen[sight].note if sight in self.seen else ""

    def last(self, sight: Sight) -> int:
        """Return when it was seen last; 0 if never."""
        return self.seen[sight].last_at if sight in self.seen else 0

    def values(self) -> dict[str, str | int]:
        """Return what the words of the table may name."""
        refused = sum(event.outcome == "refused" for event in self.judged)
        return {
            "polls": counted(self.polls, "time"),
            "given": counted(self.times(Sight.DELIVERED), "time"),
            "refused": counted(refused, "time"),
            "opened": counted(self.times(Sight.PAGE), "time"),
            "provider": self.provider,
            "error": self.note(Sight.TURNED_AWAY) or "an error",
            "waited": spelt(self.linked_at - self.link.requested_at),
            "silent": spelt(self.linked_at - self.last(Sight.RETRY)),
            "lifetime": spelt(self.link.expires_at - self.link.requested_at),
            # It is what somebody outside sent, and stands in commands to copy.
            "household": shlex.quote(self.link.household_id),
        }
