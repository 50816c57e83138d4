"""OpenID Connect: a code becomes an ID token that is checked by every rule, and userinfo where it says too little."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import structlog
from joserfc.jwk import KeySet

from auth_worker.providers.base import Gone, Identity, LoggedOut, Rechecked, Surroundings
from auth_worker.providers.discovery import Discovery, Known
from auth_worker.providers.id_tokens import (
    Expected,
    Forged,
    UnknownKey,
    check_id_token,
    check_logout_token,
)
from auth_worker.providers.mapping import claim, identity_from
from auth_worker.providers.oauth2 import KeptTokens, ask_who, check_address, rotated, to_keep
from auth_worker.providers.token_endpoint import GrantRefused, TokenEndpoint, Tokens
from auth_worker.providers.web import ProviderUnavailable
from shared.boxes import CodeEvidence, LoginEvidence
from shared.domain.errors import SignInIncomplete, TokenRefused
from shared.settings import OidcProviderSettings

Claims = dict[str, Any]
Check = Callable[[KeySet, Expected], Claims]
"""Checks one token by the keys and expectations it is given; raises `Forged`."""

log = structlog.get_logger(__name__)


class OidcProvider:
    """Signs people in at one provider."""

    def __init__(self, settings: OidcProviderSettings, within: Surroundings, discovery: Discovery) -> None:
        self._settings = settings
        self._within = within
        self._discovery = discovery
        self._endpoint = TokenEndpoint(settings, within)
        self._redirect_uri = within.settings.redirect_uri(within.name)

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        """Refuse: people do not type passwords for this provider here."""
        raise ProviderUnavailable("nobody signs in there with a password of ours")

    async def exchange(self, evidence: CodeEvidence, *, max_age: int | None = None) -> Identity:
        """Return whom the provider signed in."""
        check_address(evidence, self._redirect_uri)
        known = await self._discovery.known()
        try:
            tokens = await self._endpoint.redeem(
                known.token_endpoint, evidence, audience=self._settings.issuer
            )
            limits = [limit for limit in (self._settings.max_age, max_age) if limit is not None]
            claims = await self._from_id_token(
                tokens, nonce=evidence.nonce, max_age=min(limits, default=None)
            )
            claims = await self._completed(claims, tokens, known)
        except (GrantRefused, Forged) as refused:
            raise SignInIncomplete(str(refused)) from None
        kept = to_keep(tokens, subject=claims["sub"]) if self._settings.keep_tokens else None
        return identity_from(claims, self._settings.claims, tokens=kept)

    async def recheck(self, tokens: bytes) -> Rechecked | Gone:
        """Ask whether a person is still there."""
        kept = msgspec.json.decode(tokens, type=KeptTokens)
        known = await self._discovery.known()
        if kept.refresh_token is None:
            return await self._look_again(tokens, kept, known)
        try:
            fresh = await self._endpoint.refresh(
                known.token_endpoint, kept.refresh_token, audience=self._settings.issuer
            )
        except GrantRefused as refused:
            return Gone(reason=str(refused))
        # From here on the old token may be used up: whatever goes wrong, the new one is handed on.
        return Rechecked(tokens=rotated(kept, fresh), identity=await self._identity_now(fresh, kept, known))

    async def logged_out(self, logout_token: str) -> LoggedOut:
        """Return whom a logout token of the provider is about."""
        try:
            claims = await self._checked(
                lambda keys, expected: check_logout_token(logout_token, keys, expected)
            )
        except Forged as forged:
            raise TokenRefused(str(forged)) from None
        return LoggedOut(subject=claims.get("sub"), sid=claims.get("sid"), token_id=claims["jti"])

    async def _from_id_token(
        self, tokens: Tokens, *, nonce: str | None, max_age: int | None = None
    ) -> Claims:
        id_token = tokens.id_token
        if id_token is None:
            raise ProviderUnavailable("gave no ID token; it does not speak OpenID Connect to this client")
        return await self._checked(
            lambda keys, expected: check_id_token(
                id_token, keys, expected, nonce=nonce, access_token=tokens.access_token, max_age=max_age
            )
        )

    async def _checked(self, check: Check) -> Claims:
        known = await self._discovery.known()
        try:
            return check(known.keys, self._expected())
        except UnknownKey:
            newer = await self._discovery.after_a_key_miss(known)
            if newer is None:
                raise
            return check(newer.keys, self._expected())

    async def _completed(self, claims: Claims, tokens: Tokens, known: Known) -> Claims:
        """Add what only userinfo says; what the ID token says, and was signed, stays."""
        if not self._settings.userinfo or known.userinfo_endpoint is None or self._is_complete(claims):
            return claims
        info = await ask_who(self._within.web, known.userinfo_endpoint, tokens.access_token)
        if info is None:
            raise ProviderUnavailable(f"{known.userinfo_endpoint} refused its own access token")
        if info.get("sub") != claims["sub"]:
            raise Forged("userinfo is about somebody else than the ID token")
        return {**info, **claims}

    def _is_complete(self, claims: Claims) -> bool:
        wanted = self._settings.claims
        has_nickname = any(claim(claims, name) for name in wanted.nickname) or not wanted.nickname
        lasting = [name for name in (wanted.subject, wanted.tier) if name]
        return has_nickname and all(claim(claims, name) is not None for name in lasting)

    async def _identity_now(self, fresh: Tokens, kept: KeptTokens, known: Known) -> Identity | None:
        try:
            signed = {"sub": kept.subject}
            if fresh.id_token:
                signed = await self._from_id_token(fresh, nonce=None)
            claims = await self._completed(signed, fresh, known)
            same = claims["sub"] == kept.subject
            # Without an ID token and without userinfo nothing was said but that the person is there.
            return identity_from(claims, self._settings.claims) if same and len(claims) > 1 else None
        except (Forged, ProviderUnavailable) as problem:
            log.warning("person not described anew", provider=self._within.name, reason=str(problem))
            return None

    async def _look_again(self, tokens: bytes, kept: KeptTokens, known: Known) -> Rechecked | Gone:
        if kept.access_token is None or known.userinfo_endpoint is None:
            raise ProviderUnavailable("there is nothing to ask with; add `offline_access` to the scopes")
        info = await ask_who(self._within.web, known.userinfo_endpoint, kept.access_token)
        if info is None:
            return Gone(reason="access token revoked")
        same = info.get("sub") == kept.subject
        return Rechecked(tokens=tokens, identity=identity_from(info, self._settings.claims) if same else None)

    def _expected(self) -> Expected:
        return Expected(
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            algorithms=self._settings.algorithms,
            now=self._within.clock.now(),
        )


@asynccontextmanager
async def open_oidc(settings: OidcProviderSettings, within: Surroundings) -> AsyncIterator[OidcProvider]:
    """Open a provider that speaks OpenID Connect, and keep fresh what it says about itself."""
    discovery = Discovery(settings.issuer, within)
    provider = OidcProvider(settings, within, discovery)
    async with discovery.kept_fresh():
        yield provider
