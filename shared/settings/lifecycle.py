"""The settings of how accounts live on after somebody has signed in."""

from typing import Annotated

from pydantic import Field, SecretStr

from shared.settings.base import Section


class RecheckSettings(Section):
    """Asking a provider again whether the people who signed in there are still there."""

    every: int = Field(24, ge=1, le=24 * 90)
    """Hours between two questions about the same person, at least; they are asked when a household is in use."""


class AccountEventSettings(Section):
    """Who may say that an account has ended, so that its households have to sign in again at once."""

    backchannel_logout: tuple[str, ...] = ()
    """The providers, by name, whose logout tokens are taken at `/backchannel/NAME` (OpenID Connect Back-Channel Logout 1.0); only `oidc` has them."""
    secrets: tuple[Annotated[SecretStr, Field(min_length=32)], ...] = ()
    """What `/events/account.disabled` has to be signed with, at least 32 characters each; several while one is changed; none: there is no such address."""
    tolerance: int = Field(300, ge=10, le=3600)
    """Seconds by which the timestamp of such an event may differ from the gateway's clock."""
