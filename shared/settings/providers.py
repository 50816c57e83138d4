"""The settings of identity providers: one class for each type, and the union of them all."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from shared.settings.sections import Section

LOCAL = "local"
"""The name of the accounts of this installation itself."""


class ProviderSection(Section):
    """What the settings of every provider have."""

    takes_password: ClassVar[bool]
    """Whether people type name and password into our page; if not, the browser is sent to the provider."""

    title: str = Field("", max_length=64)
    """What people call the accounts of this provider; default: the title of the service, or its name where there are several."""


class LocalProviderSettings(ProviderSection):
    """The accounts of this installation itself: for small installs and for trying out."""

    takes_password = True

    type: Literal["local"] = "local"
    """`local`: the accounts that `latchkey accounts` manages; its name has to be `local`, too."""


class ServerSection(ProviderSection):
    """What the settings of every server have that is asked over HTTP."""

    takes_password = True
    surprises: ClassVar[tuple[str, ...]] = ()
    """Ends of addresses that people copy from their browser, and that are not part of the server's own."""

    url: str = Field(max_length=2048)
    """The address of the server as auth_worker reaches it, such as `https://music.example.com`; without a slash at its end."""
    allow_plain_http: bool = False
    """Speak to a public address without TLS, too. Whoever is on the way then reads every password, and can answer in the server's place."""


class SubsonicProviderSettings(ServerSection):
    """A server that speaks the Subsonic API."""

    surprises = ("/rest", "/app", "/index.view")

    type: Literal["subsonic"]
    """`subsonic`: the people of Navidrome, Airsonic, Gonic, or any other server with the Subsonic API."""
    allow_password: bool = False
    """Send the password itself to a server that cannot check a token. It may end up in that server's access log; so only by https, or to this machine."""


class JellyfinProviderSettings(ServerSection):
    """A Jellyfin or Emby server."""

    surprises = ("/web", "/web/index.html")

    type: Literal["jellyfin"]
    """`jellyfin`: the people of a Jellyfin server, or of an Emby server."""


class AudiobookshelfProviderSettings(ServerSection):
    """An Audiobookshelf server."""

    surprises = ("/login", "/api")

    type: Literal["audiobookshelf"]
    """`audiobookshelf`: the people of an Audiobookshelf server."""


class HttpProviderSettings(ServerSection):
    """An endpoint of the service's own."""

    type: Literal["http"]
    """`http`: an endpoint of your own that is asked by signed requests, see `docs/providers/http.md`."""
    secret_file: Path
    """The file with the secret that signs the requests, at least 32 characters; auth_worker alone reads it."""


ProviderSettings = Annotated[
    LocalProviderSettings
    | SubsonicProviderSettings
    | JellyfinProviderSettings
    | AudiobookshelfProviderSettings
    | HttpProviderSettings,
    Field(discriminator="type"),
]


def only_local() -> dict[str, ProviderSettings]:
    """Return the providers of an installation that names none."""
    return {LOCAL: LocalProviderSettings()}


PROVIDER_TYPES: dict[str, type[ProviderSection]] = {
    get_args(section.model_fields["type"].annotation)[0]: section
    for section in get_args(get_args(ProviderSettings)[0])
}
"""What may stand under `type` -> the settings of that type."""
