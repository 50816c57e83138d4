"""OAuth 2.0 without OpenID Connect: a code becomes an access token, and an endpoint of the provider's own says whose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from auth_worker.providers.base import Gone, Identity, LoggedOut, Rechecked, Surroundings
from auth_worker.providers.mapping import identity_from
from auth_worker.providers.token_endpoint import GrantRefused, TokenEndpoint, Tokens
from auth_worker.providers.web import ProviderUnavailable, Web
from shared.boxes import CodeEvidence, LoginEvidence
from shared.domain.errors import SignInIncomplete, TokenRefused
from shared.settings import OAuth2ProviderSettings


class KeptTokens(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a provider is asked again with."""

    subject: str
    """Whom the provider meant, in its own protocol's word for it."""
    refresh_token: str | None = None
    access_token: str | None = None
    """In place of a refresh token, where access tokens do not end by themselves."""

    def __repr__(self) -> str:
        return "KeptTokens(***)"


class OAuth2Provider:
    """Signs people in at one provider."""

    def __init__(self, settings: OAuth2ProviderSettings, within: Surroundings) -> None:
        self._settings = settings
        self._within = within
        self._endpoint = TokenEndpoint(settings, within)
        self._redirect_uri = within.settings.redirect_uri(within.name)

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        """Refuse: people do not type passwords for this provider here."""
        raise ProviderUnavailable("nobody signs in there with a password of ours")

    async def exchange(self, evidence: CodeEvidence, *, max_age: int | None = None) -> Identity:
        """Return whom the provider signed in; when they proved who they are, OAuth 2.0 does not tell."""
        check_address(evidence, self._redirect_uri)
        try:
            tokens = await self._endpoint.redeem(
                self._settings.token_endpoint, evidence, audience=self._settings.token_endpoint
            )
        except GrantRefused as refused:
            raise SignInIncomplete(str(refused)) from None
        claims = await self._claims(tokens.access_token)
        if claims is None:
            raise ProviderUnavailable(f"{self._settings.userinfo_endpoint} refused its own access token")
        return self._identity(claims, tokens)

    async def recheck(self, tokens: bytes) -> Rechecked | Gone:
        """Ask whether a person is still there."""
        kept = msgspec.json.decode(tokens, type=KeptTokens)
        if kept.refresh_token is None:
            return await self._look_again(tokens, kept)
        try:
            fresh = await self._endpoint.refresh(
                self._settings.token_endpoint, kept.refresh_token, audience=self._settings.token_endpoint
            )
        except GrantRefused as refused:
            return Gone(reason=str(refused))
        successor = rotated(kept, fresh)
        # From here on the old token may be used up: whatever goes wrong, the new one is handed on.
        try:
            claims = await self._claims(fresh.access_token)
            identity = self._identity(claims) if claims else None
        except ProviderUnavailable:
            identity = None
        return Rechecked(tokens=successor, identity=same_person(identity, kept))

    async def logged_out(self, logout_token: str) -> LoggedOut:
        """Refuse: OAuth 2.0 has no logout tokens."""
        raise TokenRefused(
            "the type `oauth2` has no logout tokens; those of OpenID Connect want the type `oidc`"
        )

    async def _look_again(self, tokens: bytes, kept: KeptTokens) -> Rechecked | Gone:
        if kept.access_token is None:
            raise ProviderUnavailable("there is nothing to ask with")
        claims = await self._claims(kept.access_token)
        if claims is None:
            return Gone(reason="access token revoked")
        return Rechecked(tokens=tokens, identity=same_person(self._identity(claims), kept))

    async def _claims(self, access_token: str) -> dict[str, Any] | None:
        return await ask_who(self._within.web, self._settings.userinfo_endpoint, access_token)

    def _identity(self, claims: dict[str, Any], tokens: Tokens | None = None) -> Identity:
        identity = identity_from(claims, self._settings.claims)
        if tokens is None or not self._settings.keep_tokens:
            return identity
        kept = to_keep(tokens, subject=identity.subject)
        return identity_from(claims, self._settings.claims, tokens=kept)


@asynccontextmanager
async def open_oauth2(
    settings: OAuth2ProviderSettings, within: Surroundings
) -> AsyncIterator[OAuth2Provider]:
    """Open a provider that speaks OAuth 2.0."""
    yield OAuth2Provider(settings, within)


def check_address(evidence: CodeEvidence, redirect_uri: str) -> None:
    """Refuse a code that came back to the address of another provider: it is not ours to show around.

    Raises:
        SignInIncomplete: it did.
    """
    if evidence.redirect_uri != redirect_uri:
        raise SignInIncomplete("it came back to another provider's address")


async def ask_who(web: Web, url: str, access_token: str) -> dict[str, Any] | None:
    """Return what a userinfo endpoint says of the person; None if the access token is not good any more.

    Raises:
        ProviderUnavailable: anything else.
    """
    headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
    answer = await web.send("GET", url, headers=headers)
    if answer.status == 401:
        return None
    if answer.status != 200:
        raise ProviderUnavailable(f"{url} answered {answer.status}")
    return answer.json()


def to_keep(tokens: Tokens, *, subject: str) -> bytes | None:
    """Return what the person can be asked for again with, or None if there is nothing that lasts."""
    lasting = tokens.refresh_token is None and tokens.expires_in is None
    if tokens.refresh_token is None and not lasting:
        return None
    kept = KeptTokens(
        subject=subject,
        refresh_token=tokens.refresh_token,
        access_token=tokens.access_token if lasting else None,
    )
    return msgspec.json.encode(kept)


def rotated(kept: KeptTokens, fresh: Tokens) -> bytes:
    """Return what to keep after a refresh: the new refresh token, or the old one where it stays."""
    return msgspec.json.encode(
        KeptTokens(subject=kept.subject, refresh_token=fresh.refresh_token or kept.refresh_token)
    )


def same_person(identity: Identity | None, kept: KeptTokens) -> Identity | None:
    """Return the person, unless the provider suddenly means somebody else, who is not to get this account's name."""
    return identity if identity and identity.subject == kept.subject else None
