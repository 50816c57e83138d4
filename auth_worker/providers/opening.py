"""Opens the identity providers that the settings name; `OPENERS` is the table of their types."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from auth_worker.providers import audiobookshelf, http, jellyfin, local, oauth2, oidc, subsonic
from auth_worker.providers.base import Provider, Surroundings
from auth_worker.providers.web import Web
from shared.admin import Admin
from shared.settings import (
    AudiobookshelfProviderSettings,
    HttpProviderSettings,
    JellyfinProviderSettings,
    LocalProviderSettings,
    OAuth2ProviderSettings,
    OidcProviderSettings,
    ProviderSection,
    Settings,
    SubsonicProviderSettings,
)
from shared.storage.base import AuthStore
from shared.traces import CAUSE, Span

Opener = Callable[[Any, Surroundings], AbstractAsyncContextManager[Provider]]

OPENERS: dict[type[ProviderSection], Opener] = {
    LocalProviderSettings: local.open_local,
    OidcProviderSettings: oidc.open_oidc,
    OAuth2ProviderSettings: oauth2.open_oauth2,
    SubsonicProviderSettings: subsonic.open_subsonic,
    JellyfinProviderSettings: jellyfin.open_jellyfin,
    AudiobookshelfProviderSettings: audiobookshelf.open_audiobookshelf,
    HttpProviderSettings: http.open_http,
}
"""Settings of a type -> what opens it."""


@asynccontextmanager
async def open_providers(
    settings: Settings, store: AuthStore, admin: Admin | None = None
) -> AsyncIterator[Mapping[str, Provider]]:
    """Open all providers, by name."""
    counted, traces = (admin or Admin()).metrics.providers, (admin or Admin()).traces

    def surroundings(name: str, web: Web) -> Surroundings:
        def tell(seconds: float, outcome: str) -> None:
            counted.observe(seconds, name, outcome)
            correlation_id, link_id = CAUSE.get()
            traces.tell(
                Span(
                    name=f"ask provider {name}",
                    side="client",
                    seconds=seconds,
                    outcome=outcome,
                    correlation_id=correlation_id,
                    link_id=link_id,
                    failed=outcome != "answered",
                )
            )

        return Surroundings(settings=settings, name=name, store=store, web=web.telling(tell))

    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(Web.open())
        yield {
            name: await stack.enter_async_context(OPENERS[type(each)](each, surroundings(name, web)))
            for name, each in settings.providers.items()
        }
