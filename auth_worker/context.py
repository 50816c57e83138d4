"""What auth_worker's handlers are given."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from auth_worker.app_tokens import AppTokens
from auth_worker.providers.base import Provider, RedirectProvider
from auth_worker.providers.web import ProviderUnavailable
from shared.context import Context
from shared.keys import AuthWorkerKeys
from shared.storage.base import AuthStore
from shared.tokens import TokenVerifier

HERD = 4
"""Legacy credentials that are verified at a time: a person who signs in on a page waits behind so many at most."""


class Teller(Protocol):
    """Where notices go."""

    async def send(self, message_id: str, body: bytes, *, now: int) -> None:
        """Deliver one message.

        Raises:
            ProviderUnavailable: not taken; the message says why.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class AuthContext(Context[AuthStore, AuthWorkerKeys]):
    """The context of auth_worker, with the identity sources it may ask."""

    providers: Mapping[str, Provider]
    verifier: TokenVerifier
    app_tokens: Mapping[str, AppTokens] = field(default_factory=dict)
    """By service: what verifies the access tokens of its app."""
    webhook: Teller | None = None
    """None where the settings name none."""
    herd: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HERD))

    def provider_of(self, service: str, name: str) -> Provider:
        """Return a provider by name, if its word counts for this service.

        Raises:
            ProviderUnavailable: it does not, or no longer.
        """
        if name not in self.settings.providers_of(service):
            raise ProviderUnavailable(
                f"{name!r} is not a provider of {service}; see `providers` in the settings"
            )
        return self.providers[name]

    def redirect_provider_of(self, service: str, name: str) -> RedirectProvider:
        """Return a provider that people are sent to; otherwise as `provider_of`."""
        provider = self.provider_of(service, name)
        if not isinstance(provider, RedirectProvider):
            raise ProviderUnavailable(f"nobody is sent to {name!r} to sign in")
        return provider
