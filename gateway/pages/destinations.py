"""Where people are sent to sign in: settings, and what auth_worker has written down of each provider."""

from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.context import GatewayContext
from shared.settings import OAuth2ProviderSettings, OidcProviderSettings, ProviderSettings
from shared.storage.providers import ProviderMetadata, ProviderMetadataView

REMEMBERED_SECONDS = 60.0
TOO_OLD_SECONDS = 3600
"""auth_worker asks every five minutes: a provider that it could not reach for so long would not sign anybody in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A provider, as far as a browser has to do with it."""

    endpoint: str
    parameters: dict[str, str]
    """Those that are the same for everybody."""
    is_openid: bool
    issuer: str
    """What comes back as `iss`, if anything does; empty: whatever comes says nothing."""
    iss_parameter: bool
    """Whether it always comes back."""

    def address(self, *, anew: bool = False, **parameters: str) -> str:
        """Return where to send a browser.

        Args:
            anew: ask the provider to let people prove who they are, even if they are signed in there.
            parameters: those that are of this browser alone.
        """
        query = urlencode(self.parameters | (self._anew() if anew else {}) | parameters)
        return f"{self.endpoint}{'&' if '?' in self.endpoint else '?'}{query}"

    def _anew(self) -> dict[str, str]:
        asked = [each for each in self.parameters.get("prompt", "").split() if each not in {"none", "login"}]
        # With max_age an ID token has to say when that was, which auth_worker looks at. OAuth 2.0 alone knows no such promise.
        return {"prompt": " ".join(["login", *asked])} | ({"max_age": "0"} if self.is_openid else {})

    def is_from(self, iss: str | None) -> bool:
        """Tell whether an answer came from this provider, as far as it says where it came from (RFC 9207)."""
        if iss is None:
            return not self.iss_parameter
        return not self.issuer or iss == self.issuer


class Destinations:
    """Looks them up, and remembers for a minute what the database says."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context
        self._remembered: dict[str, tuple[float, ProviderMetadataView]] = {}

    async def find(self, name: str) -> Destination | None:
        """Return where a provider is; None if people cannot be sent there, or not now.

        Raises:
            StoreUnavailable: the database did not answer.
        """
        settings = self._context.settings.providers.get(name)
        if isinstance(settings, OAuth2ProviderSettings):
            return to_oauth2(settings)
        if not isinstance(settings, OidcProviderSettings):
            return None
        view = await self._metadata(name)
        # Of another issuer: from before the settings were changed.
        if view is None or view.age > TOO_OLD_SECONDS or view.metadata.issuer != settings.issuer:
            return None
        return to_oidc(settings, view.metadata)

    async def _metadata(self, name: str) -> ProviderMetadataView | None:
        now = self._context.clock.monotonic()
        read_at, remembered = self._remembered.get(name, (now, None))
        if remembered and now < read_at + REMEMBERED_SECONDS:
            return remembered
        view = await self._context.store.provider_metadata(name)
        if view is not None:
            self._remembered[name] = (now, view)
        return view


def to_oidc(settings: OidcProviderSettings, metadata: ProviderMetadata) -> Destination:
    """Return where people are sent for a provider of OpenID Connect, by what it says about itself."""
    asked = {
        "prompt": settings.prompt,
        "max_age": "" if settings.max_age is None else str(settings.max_age),
    }
    return Destination(
        endpoint=metadata.authorization_endpoint,
        parameters=_parameters(settings) | {name: value for name, value in asked.items() if value},
        is_openid=True,
        issuer=settings.issuer,
        iss_parameter=metadata.iss_parameter,
    )


def to_oauth2(settings: OAuth2ProviderSettings) -> Destination:
    """Return where people are sent for a provider of OAuth 2.0."""
    return Destination(
        endpoint=settings.authorization_endpoint,
        parameters=_parameters(settings),
        is_openid=False,
        issuer=settings.issuer,
        iss_parameter=bool(settings.issuer),
    )


def _parameters(settings: OidcProviderSettings | OAuth2ProviderSettings) -> dict[str, str]:
    return settings.authorization_parameters | {
        "response_type": "code",
        "client_id": settings.client_id,
        "scope": " ".join(settings.scopes),
    }


def is_redirect(settings: ProviderSettings | None) -> bool:
    """Tell whether people are sent to a provider, and come back from it."""
    return isinstance(settings, OidcProviderSettings | OAuth2ProviderSettings)
