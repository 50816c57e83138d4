"""The settings of identity providers: one class for each type, and the union of them all."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, SecretStr, model_validator

from shared.domain.account import AccountTier
from shared.settings.addresses import is_safe_address
from shared.settings.sections import Section

LOCAL = "local"
"""The name of the accounts of this installation itself."""


class ProviderSection(Section):
    """What the settings of every provider have."""

    takes_password: ClassVar[bool]
    """Whether people type name and password into our page; if not, the browser is sent to the provider."""

    title: str = Field("", max_length=64)
    """What people call the accounts of this provider; default: the title of the service, or its name where there are several."""


_ADDRESS = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[!\"$->@-~]*)?")


def _safe(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("write it like https://login.example.com, without user, password, ? and #")
    if not is_safe_address(address):
        raise ValueError("write https; http is only for a server on this machine")
    return address


SafeAddress = Annotated[str, Field(max_length=2048), AfterValidator(_safe)]
"""An address that secrets may travel to."""
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
"""How an ID token may be signed: with a key of the provider's own that nobody else has."""


class ClaimSettings(Section):
    """What a provider calls the things that Latchkey wants to know of a person.

    A name with dots leads into objects within objects, unless a claim is called so as it stands.
    """

    subject: str = Field("sub", min_length=1)
    """The claim with the lasting name of a person. It decides whose account it is: never take one that people can change, or that another may get later."""
    nickname: tuple[str, ...] = ("nickname", "preferred_username", "name", "email")
    """The claims that may hold what Sonos shows as the account's name, the best first."""
    tier: str = ""
    """The claim that says what a person pays for: a word, or a list of them; none named: nobody has a tier."""
    tiers: dict[str, AccountTier] = Field(default_factory=dict)
    """What the words of that claim mean to Sonos, the strongest first: `paidPremium`, `paidLimited`, `free` or `none`."""


class RedirectSection(ProviderSection):
    """What the settings of every provider have that people are sent to."""

    takes_password = False

    client_id: str = Field(min_length=1, max_length=512)
    """What Latchkey is called at the provider."""
    client_secret: SecretStr | None = None
    """What the provider gave to prove it with; better in a file, or in the environment."""
    client_secret_file: Path | None = None
    """The file with that secret, which auth_worker alone has to read."""
    private_key_file: Path | None = None
    """In place of a secret: a private key, PEM or JWK, whose public half the provider has (`private_key_jwt`)."""
    private_key_id: str = ""
    """The `kid` by which the provider knows the key; default: the one in the JWK."""
    assertion_audience: str = ""
    """With a private key: whom its proofs are made out to; default: the issuer, and the token endpoint where there is none."""
    client_auth: Literal["basic", "post", "private_key_jwt", "none"] | None = None
    """How Latchkey proves who it is: the secret in a header or in the form, a private key, or not at all; default: by what is there, a secret in a header."""
    claims: ClaimSettings = ClaimSettings()
    authorization_parameters: dict[str, str] = Field(default_factory=dict)
    """What else to send along with a person, such as `access_type = "offline"` for Google."""
    keep_tokens: bool = False
    """Keep the provider's refresh token, sealed, so that it can be asked later whether the person is still there."""

    @property
    def client_authentication(self) -> str:
        """Return how Latchkey proves who it is."""
        if self.client_auth:
            return self.client_auth
        if self.private_key_file:
            return "private_key_jwt"
        return "basic" if self.client_secret or self.client_secret_file else "none"

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        given = {
            "client_secret": self.client_secret,
            "client_secret_file": self.client_secret_file,
            "private_key_file": self.private_key_file,
        }
        names = [name for name, value in given.items() if value]
        if len(names) > 1:
            raise ValueError(f"{' and '.join(names)}: one of them is enough, remove the others")
        needed = {
            "basic": {"client_secret", "client_secret_file"},
            "post": {"client_secret", "client_secret_file"},
            "private_key_jwt": {"private_key_file"},
            "none": set[str](),
        }[self.client_authentication]
        if needed.isdisjoint(names) if needed else names:
            raise ValueError(
                f'client_auth = "{self.client_authentication}" wants {" or ".join(sorted(needed)) or "no secret and no key"}; correct one of the two'
            )
        return self


class OidcProviderSettings(RedirectSection):
    """A provider that speaks OpenID Connect."""

    type: Literal["oidc"]
    """`oidc`: OpenID Connect, such as Keycloak, Authentik, Auth0, Entra ID or Google; see `docs/providers/oidc.md`."""
    issuer: SafeAddress
    """The provider's own name, letter for letter: the address in front of `/.well-known/openid-configuration`."""
    scopes: tuple[str, ...] = ("openid", "profile")
    """What to ask for; `openid` has to be among it, `offline_access` gets a refresh token from most providers."""
    prompt: Literal["", "none", "login", "consent", "select_account"] = ""
    """What the provider shall ask people even if it knows them; `select_account` lets them change between accounts."""
    max_age: int | None = Field(None, ge=0)
    """Seconds after which somebody who is signed in at the provider has to sign in there again."""
    userinfo: bool = True
    """Ask the provider's userinfo endpoint, if it has one, for claims that are not in the ID token."""
    algorithms: tuple[Algorithm, ...] = Field(("RS256", "PS256", "ES256", "EdDSA", "Ed25519"), min_length=1)
    """How ID tokens may be signed. Nothing that a secret known to two could sign, and never unsigned."""

    @model_validator(mode="after")
    def _speaks_openid(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError('scopes: add "openid", or use the type `oauth2`')
        return self


class OAuth2ProviderSettings(RedirectSection):
    """A provider that speaks OAuth 2.0 alone, and tells who somebody is by an endpoint of its own."""

    type: Literal["oauth2"]
    """`oauth2`: OAuth 2.0 without OpenID Connect, such as GitHub; see `docs/providers/oauth2.md`."""
    authorization_endpoint: SafeAddress
    """Where people are sent."""
    token_endpoint: SafeAddress
    """Where Latchkey exchanges what they come back with."""
    userinfo_endpoint: SafeAddress
    """Where Latchkey asks who they are: a GET with the access token as Bearer, answered by a JSON object."""
    issuer: str = ""
    """What the provider sends as `iss` along with people (RFC 9207); only if it does, for then nothing else is taken."""
    scopes: tuple[str, ...] = ()
    """What to ask for."""


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
    | HttpProviderSettings
    | OidcProviderSettings
    | OAuth2ProviderSettings,
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
