"""Refusals: the answers that are not a success, and not a failure of ours either.

    Refusal
    ├── LinkPending             the person has not finished yet: ask again
    ├── LinkFailed              this link will never succeed
    │   ├── LinkNotFound        forged, expired before it was used, or never issued
    │   ├── LinkExpired         its time is over
    │   ├── LinkDeclined        the person said no
    │   ├── LinkBurnt           too many wrong passwords
    │   └── LinkTaken           another browser or another account got there first
    ├── SignInRefused           this name and password do not belong together
    ├── SignInIncomplete        what came back from an identity provider proves nothing: sign in again
    ├── AccountDisabled         the account may not be used
    ├── AccountUnsupported      an account of this tier may not be used with Sonos
    ├── SessionUnknown          not a session id of ours, or its time is over
    ├── VisitOver               the person has to sign in (again)
    ├── TokenRefused            not a token of ours, or not for this service
    ├── ReauthorizationNeeded   the household has to link again
    │   └── ReuseDetected       an old generation came back: theft, the family ends
    └── TryAgainLater           nothing is wrong with the caller; our side cannot answer now
        └── TooManyTries        a budget of wrong passwords is used up: wait; nothing is unlinked by it

The message of a refusal is its class docstring unless the raise gives a better one.
"""

from functools import cache


class Refusal(Exception):
    """The request is understood and the answer is no."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self._sentence())

    @classmethod
    @cache
    def _sentence(cls) -> str:
        return " ".join((cls.__doc__ or "").split())


class LinkPending(Refusal):
    """The person has not finished signing in yet."""


class LinkFailed(Refusal):
    """This link will never succeed."""


class LinkNotFound(LinkFailed):
    """The link code was not issued here, or its time is over."""


class LinkExpired(LinkFailed):
    """The link's time is over; start again in the Sonos app."""


class LinkDeclined(LinkFailed):
    """The person declined the link."""


class LinkBurnt(LinkFailed):
    """Too many wrong passwords were tried on this link."""


class LinkTaken(LinkFailed):
    """The link is being completed, or was completed, from another browser."""


class SignInRefused(Refusal):
    """The name and the password do not belong together."""


class SignInIncomplete(Refusal):
    """What came back from the identity provider proves nothing; sign in again."""


class AccountDisabled(Refusal):
    """The account is disabled."""


class AccountUnsupported(Refusal):
    """An account of this tier cannot be used with Sonos."""


class SessionUnknown(Refusal):
    """The session id was not issued here, or its time is over."""


class VisitOver(Refusal):
    """The visit to the household page is over, or was not opened for this; sign in again."""


class TokenRefused(Refusal):
    """The token is missing, malformed, or was not issued by this service."""


class ReauthorizationNeeded(Refusal):
    """The household's access has ended; the account has to be linked again."""


class ReuseDetected(ReauthorizationNeeded):
    """A token came back long after its successor was in use; the whole family ends."""


class TryAgainLater(Refusal):
    """The service cannot answer right now; nothing is lost by asking again."""


class TooManyTries(TryAgainLater):
    """Too many wrong passwords were tried lately; this one was not looked at."""

    def __init__(self, wait: int = 0) -> None:
        super().__init__()
        self.wait = wait
        """Seconds after which one more may be tried."""
