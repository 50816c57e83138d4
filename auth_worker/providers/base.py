"""The protocol of an identity source: evidence in, identity out."""

from dataclasses import dataclass, field
from typing import Protocol

from auth_worker.providers.web import Web
from shared.context import Clock, Random, SystemClock, SystemRandom
from shared.domain.account import AccountTier
from shared.messages import LoginEvidence
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
