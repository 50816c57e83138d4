"""What is seen of a link beside the events that move it: by gateways, which cannot write, and by the first call that follows."""

from dataclasses import dataclass
from enum import StrEnum

LONGEST_NOTE = 128
MOST_SIGHTINGS = 128
"""Rows of one link: ten gateways that saw everything there is. More of a link are not kept."""


class Sight(StrEnum):
    """What was seen."""

    PAGE = "page"
    """A browser opened the page of the link, or the service's app asked about it."""
    SENT = "sent"
    """Somebody sent evidence of who they are: a form, a code of a provider's, the word of an app."""
    LIMITED = "limited"
    """A form was not even sent on: too many wrong passwords lately."""
    LEFT = "left"
    """A browser was sent to an identity provider."""
    AWAY = "away"
    """A browser could not be sent there: the gateways do not know the provider's metadata yet."""
    TURNED_AWAY = "turned_away"
    """The identity provider sent the browser back with an error."""
    ALLOWED = "allowed"
    """Somebody pressed "allow"."""
    RETRY = "retry"
    """A poll was told to ask again."""
    FAILURE = "failure"
    """A poll was told that the link will never succeed."""
    UNAVAILABLE = "unavailable"
    """A poll could not be answered: the database did not answer, or the pair could not be opened."""
    WRONG_DEVICE = "wrong_device"
    """A poll came without the `linkDeviceId` that Sonos was given."""
    DELIVERED = "delivered"
    """A poll was given the token."""
    USED = "used"
    """A call came with a token of this link: seen by token_worker, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One row of `link_sightings`: how often one observer saw something of one link. Times are seconds since the epoch."""

    link_id: str
    service: str
    observer: str
    """The gateway, new with each of its starts, or `token_worker`."""
    sight: Sight
    times: int
    """Since the observer began to watch this link: it only grows, so that the same word may come twice and in any order."""
    first_at: int
    """By the observer's clock, as `last_at`."""
    last_at: int
    note: str = ""
    """The household of `delivered`, the provider of `left` and `away`, the error of `turned_away`."""
