"""The settings of a service's own app: how Sonos opens it, and how what it says about a person is proved."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.domain.account import VOUCHED
from shared.domain.deep_link import Platform
from shared.settings.base import Section

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"
]
"""Signatures that can be checked with a public key; the others would let whoever checks make tokens, too."""


class ActionSettings(Section):
    """A message in the Sonos app, with an address behind a button or without."""

    message_string_id: str = Field(min_length=1)
    """Id of the message in the strings registered with Sonos."""
    url: str | None = Field(None, max_length=2048)
    """Where its button leads."""
    url_string_id: str | None = None
    """Id of the button's label in the strings registered with Sonos."""


class CallToActionSettings(ActionSettings):
    """What some devices are told in place of a link."""

    platforms: tuple[Platform, ...] = Field((Platform.OTHER,), min_length=1)
    """Which devices: `ios`, `android`, and `other` for all the rest; they can then link neither by app nor by browser."""


class JwksSettings(Section):
    """Access tokens are JWTs, verified with the keys that their issuer publishes."""

    url: str = Field(max_length=2048)
    """Where the keys are (`jwks_uri` of the issuer)."""
    issuer: str = Field(min_length=1, max_length=2048)
    """The `iss` of every token."""
    audience: str = Field(min_length=1, max_length=2048)
    """What has to be in `aud`: a name that the issuer gives to tokens for Latchkey, and to no others."""
    algorithms: tuple[Algorithm, ...] = Field(("RS256", "PS256", "ES256", "EdDSA", "Ed25519"), min_length=1)
    """How tokens may be signed."""


class IntrospectionSettings(Section):
    """Access tokens are shown to their issuer, who says whether they hold (RFC 7662)."""

    url: str = Field(max_length=2048)
    """Where tokens are shown."""
    client_id: str = Field(min_length=1, max_length=255)
    """Who asks, by HTTP Basic."""
    client_secret: SecretStr | None = Field(None, min_length=1)
    """With which secret; better in a file, or in the environment."""
    client_secret_file: Path | None = None
    """The file with that secret, which auth_worker alone has to read."""
    issuer: str | None = Field(None, min_length=1, max_length=2048)
    """The `iss` that the answer has to have; none: it need not have one."""
    audience: str | None = Field(None, min_length=1, max_length=2048)
    """What has to be in the answer's `aud`; none: a token for anything is taken."""

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.client_secret is None) == (self.client_secret_file is None):
            raise ValueError("client_secret or client_secret_file: set one of them")
        return self


class UserinfoSettings(Section):
    """Access tokens are tried at the userinfo endpoint (OpenID Connect Core 1.0, section 5.3)."""

    url: str = Field(max_length=2048)
    """Which endpoint. It does not tell for whom a token was made, so a token of any app of that issuer is taken."""


class AppSettings(Section):
    """The service's own app: how Sonos opens it, and how what it says is proved."""

    ios_url: str | None = None
    """Deep link for iPhones and iPads, in place of `app_url`."""
    android_url: str | None = None
    """Deep link for Android, in place of `app_url`."""
    failure_string_id: str | None = None
    """Id of the message for a deep link that could not be opened."""
    failure_url: str | None = Field(None, max_length=2048)
    """Address of the help that the message offers."""
    failure_url_string_id: str | None = None
    """Id of that address's label."""
    install: ActionSettings | None = None
    """What Sonos shows where the app is not installed (`installAction`)."""
    call_to_action: CallToActionSettings | None = None
    """What devices are told that no link fits (`callToAction`)."""
    provider: str = VOUCHED
    """The provider whose accounts the app's people have: one of `providers`, so that app and browser lead to the same account, or `api`."""
    jwks: JwksSettings | None = None
    """Verify access tokens with the issuer's published keys."""
    introspection: IntrospectionSettings | None = None
    """Verify access tokens by asking their issuer."""
    userinfo: UserinfoSettings | None = None
    """Verify access tokens at the userinfo endpoint."""
    scope: str | None = Field(None, pattern=r"^[!#-\[\]-~]{1,255}$")
    """A scope that access tokens have to have; not with `userinfo`, which tells none."""
    subject_claim: str = Field("sub", min_length=1, max_length=64)
    """Which claim is the person's lasting name; the same that the provider goes by."""
    nickname_claim: str = Field("preferred_username", min_length=1, max_length=64)
    """Which claim is shown to people; the title of the service where it is missing."""
    origins: tuple[str, ...] = ()
    """Web pages, such as `https://app.example.com`, whose scripts may ask about links, approve and decline (CORS); none: no page may."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Return how access tokens are verified: one way, or none if only the back end approves."""
        return tuple(
            name for name in ("jwks", "introspection", "userinfo") if getattr(self, name) is not None
        )
