"""Looks at identity providers as auth_worker does, and as a browser that is sent there."""

import aiohttp

from auth_worker.providers.base import Surroundings
from auth_worker.providers.discovery import Discovery
from auth_worker.providers.web import ProviderUnavailable, Web
from deploy.doctor.seen import ProviderFacts
from gateway.pages.destinations import Destination, to_oauth2, to_oidc
from shared import bootstrap
from shared.settings import (
    LocalProviderSettings,
    OAuth2ProviderSettings,
    OidcProviderSettings,
    ProviderSettings,
    Settings,
)
from shared.storage.base import AuthStore
from shared.storage.providers import ProviderMetadata

PATIENCE = aiohttp.ClientTimeout(total=10)
_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""The PKCE challenge of RFC 7636, appendix B: nobody goes through with this sign-in."""


async def look_at_providers(settings: Settings) -> tuple[ProviderFacts, ...]:
    """Look at every provider that is somewhere else; nobody signs in, and no secret is sent."""
    async with bootstrap.open_auth_store(settings) as store, Web.open() as web:
        return tuple(
            [
                await _look(settings, name, each, store, web)
                for name, each in settings.providers.items()
                if not isinstance(each, LocalProviderSettings)
            ]
        )


async def _look(
    settings: Settings, name: str, provider: ProviderSettings, store: AuthStore, web: Web
) -> ProviderFacts:
    failure = refusal = redirect_uri = ""
    destination: Destination | None = None
    try:
        if isinstance(provider, OidcProviderSettings):
            within = Surroundings(settings=settings, name=name, store=store, web=web)
            destination = await _discovered(provider, within)
        elif isinstance(provider, OAuth2ProviderSettings):
            destination = to_oauth2(provider)
        elif not isinstance(provider, LocalProviderSettings):
            await _status(provider.url)
        if destination is not None:
            redirect_uri = settings.redirect_uri(name)
            refusal = await _refusal(destination, redirect_uri)
    except ProviderUnavailable as error:
        failure = str(error)
    return ProviderFacts(name=name, failure=failure, redirect_uri=redirect_uri, refusal=refusal)


async def _discovered(provider: OidcProviderSettings, within: Surroundings) -> Destination:
    """Ask a provider about itself, its keys included.

    Raises:
        ProviderUnavailable: it does not answer, or is not who the settings say.
    """
    known = await Discovery(provider.issuer, within).known()
    metadata = ProviderMetadata(
        provider=within.name,
        issuer=provider.issuer,
        authorization_endpoint=known.authorization_endpoint,
        iss_parameter=known.iss_parameter,
    )
    return to_oidc(provider, metadata)


async def _refusal(destination: Destination, redirect_uri: str) -> str:
    """Return how a provider refuses a browser that is sent to it: it answers an error by itself if it does not know us.

    Raises:
        ProviderUnavailable: it does not answer.
    """
    address = destination.address(
        redirect_uri=redirect_uri,
        state="latchkey-doctor",
        nonce="latchkey-doctor",
        code_challenge=_CHALLENGE,
        code_challenge_method="S256",
    )
    status = await _status(address)
    return f"it answers {status}" if status >= 400 else ""


async def _status(address: str) -> int:
    """Return the status of whatever a server answers.

    Raises:
        ProviderUnavailable: it does not.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE) as http,
            http.get(address, allow_redirects=False) as answer,
        ):
            return answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        where = address.partition("?")[0]
        raise ProviderUnavailable(f"{where} does not answer ({type(error).__name__})") from None
