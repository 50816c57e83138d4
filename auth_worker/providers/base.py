"""The protocol of an identity source: evidence in, identity out."""

from dataclasses import dataclass
from typing import Protocol

from shared.domain.account import AccountTier
from shared.messages import LoginEvidence


class ProviderUnavailable(Exception):
    """The source could not be asked; says nothing about the person, and does not count against the link."""


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
            ProviderUnavailable: could not be asked.
        """
        ...
