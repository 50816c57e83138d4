"""The protocols of identity sources: evidence in, identity out; and how to ask again later."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from auth_worker.providers.web import Web
from shared.boxes import CodeEvidence, LoginEvidence
from shared.context import Clock, Random, SystemClock, SystemRandom
from shared.domain.account import AccountTier
from shared.settings import Settings
from shared.storage.base import AuthStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person, as the source vouches for them."""

    subject: str
    """The source's own, lasting name for the person."""
    nickname: str
    """At most 32 characters reach Sonos."""
    tier: AccountTier | None = None
    tokens: bytes | None = field(default=None, repr=False)
    """What `recheck` needs, if it is to be kept; the caller seals it for auth_worker before it goes anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """The person is still there."""

    tokens: bytes = field(repr=False)
    """To be kept in place of those that were asked with, before anything else is done: they may be used up."""
    identity: Identity | None = None
    """The person as the source vouches for them now; None if it did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The source no longer vouches for the person."""

    reason: str
    """For log and audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut:
    """What a genuine logout token of the source says; at least one of subject and sid."""

    subject: str | None
    sid: str | None
    """One session of the person at the source."""
    token_id: str
    """The token's `jti`: the same one may come again."""


class Provider(Protocol):
    """One identity source."""

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        """Return who the evidence proves somebody to be.

        Raises:
            SignInRefused: it proves nothing; the same answer for an unknown name and a wrong password.
            AccountDisabled, AccountUnsupported: it proves who they are, but this account may not be used here.
            ProviderUnavailable: could not be asked.
        """
        ...


@runtime_checkable
class RedirectProvider(Provider, Protocol):
    """An identity source that people are sent to, and come back from with a code."""

    async def exchange(self, evidence: CodeEvidence, *, max_age: int | None = None) -> Identity:
        """Return whom the source signed in.

        Args:
            evidence: what the browser brought back.
            max_age: seconds since the person last proved there who they are, at most; for sources that tell.

        Raises:
            SignInIncomplete: the code proves nothing: used up, too old, or not meant for this browser.
            AccountUnsupported: it proves who they are, but this account may not be used here.
            ProviderUnavailable: could not be asked.
        """
        ...

    async def recheck(self, tokens: bytes) -> Rechecked | Gone:
        """Ask whether a person is still there, with the tokens that were kept.

        Two at the same time with the same tokens may end a person's access at sources that rotate them.

        Raises:
            ProviderUnavailable: could not be asked; says nothing about the person.
        """
        ...

    async def logged_out(self, logout_token: str) -> LoggedOut:
        """Return whom a logout token of the source is about (OpenID Connect Back-Channel Logout 1.0).

        Raises:
            TokenRefused: not a genuine logout token of this source.
            ProviderUnavailable: its keys could not be asked for.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a provider may use."""

    settings: Settings
    name: str
    """Its own, as the settings have it."""
    store: AuthStore
    web: Web
    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=SystemRandom)
