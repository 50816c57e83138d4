"""The part of the store's port that is about identity providers: where to send people, and the tokens that are kept."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """One row of `provider_metadata`: the public part of what a provider says about itself.

    It belongs to no service: a provider serves all that name it.
    """

    provider: str
    issuer: str
    authorization_endpoint: str
    iss_parameter: bool
    """Whether the provider promises its `iss` in every answer to the browser (RFC 9207)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadataView:
    """What a gateway needs to send people to a provider."""

    metadata: ProviderMetadata
    age: int
    """Seconds since auth_worker last had it from the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokens:
    """One row of `provider_tokens`: what an account can be looked up again with at its provider."""

    account_id: str
    service: str
    sealed: bytes = field(repr=False)
    """For auth_worker alone, bound to the account."""
    checked_at: int
    """When the provider last vouched for the person; seconds since the epoch."""
    version: int = 1


class ProviderReads(Protocol):
    """What a gateway may ask."""

    async def provider_metadata(self, provider: str) -> ProviderMetadataView | None:
        """Return what is known of a provider."""
        ...


class ProviderTransaction(Protocol):
    """What auth_worker may do, inside one transaction."""

    async def put_provider_metadata(self, metadata: ProviderMetadata) -> None:
        """Write what a provider has just said about itself, over what it said before."""
        ...

    async def put_provider_tokens(self, *, account_id: str, service: str, sealed: bytes) -> None:
        """Write the tokens of somebody who has just signed in, over earlier ones of whatever version."""
        ...

    async def provider_tokens(self, account_id: str) -> ProviderTokens | None:
        """Return the tokens of an account."""
        ...

    async def swap_provider_tokens(self, old: ProviderTokens, new: ProviderTokens) -> None:
        """Replace *old* by *new*; nothing to do when they are the same.

        Raises:
            Conflict: the row no longer has the version of *old*.
        """
        ...

    async def delete_provider_tokens(self, account_id: str) -> None:
        """Delete the tokens of an account, if it has any."""
        ...
