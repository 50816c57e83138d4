"""An OpenID Connect provider whose people come and go: rotates refresh tokens, breaks in every way, and sends logout tokens."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.play.issuer import Issuer, serving

CLIENT = "latchkey"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Directory(Issuer):
    """The provider. A refresh token can be used once; using it twice ends what came of it, as RFC 9700 wants."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[str, str] = {}
        """Refresh token that is good now -> person."""
        self.used: dict[str, str] = {}
        self.mode = "well"
        """`well`, `away` (503), `broken` (500 and nothing done), `lost` (works, but the answer never arrives), `held`."""
        self.nicknames: dict[str, str] = {}
        self.holding = 0
        """Requests that wait until the mode is no longer `held`."""

    def refresh_token(self, subject: str) -> str:
        """Return a refresh token, as from a sign-in."""
        token = f"canary-refresh-token-{uuid4().hex}"
        self.live[token] = subject
        return token

    def forget(self, subject: str) -> None:
        """Remove a person."""
        self.live = {token: each for token, each in self.live.items() if each != subject}

    def logout_token(self, subject: str | None, *, signed_by: ECKey | None = None, **changes: Any) -> str:
        """Return a logout token; *changes* are other claims, None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": subject,
            "iat": now,
            "exp": now + 120,
            "jti": uuid4().hex,
            "events": {LOGOUT_EVENT: {}},
        } | changes
        header = {"alg": "ES256", "kid": "key-1", "typ": claims.pop("typ", "logout+jwt")}
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, kept, signed_by or self.keys["key-1"], algorithms=["ES256"])

    async def _describe(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
            }
        )

    async def _token(self, request: web.Request) -> web.StreamResponse:
        self.asked["token"] += 1
        form = await request.post()
        mode = self.mode
        if mode == "away":
            return web.Response(status=503)
        if mode == "broken":
            return web.Response(status=500)
        self.holding += 1
        while self.mode == "held":
            await asyncio.sleep(0.01)
        self.holding -= 1
        answer = self._rotated(str(form["refresh_token"]))
        if mode == "lost":
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _rotated(self, token: str) -> web.StreamResponse:
        subject = self.live.pop(token, None)
        if subject is None:
            if token in self.used:
                self.forget(self.used[token])
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.used[token] = subject
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": subject, "iat": now, "exp": now + 60}
        claims |= {"nickname": self.nicknames[subject]} if subject in self.nicknames else {}
        header = {"alg": "ES256", "kid": "key-1"}
        return web.json_response(
            {
                "access_token": f"access-{uuid4().hex}",
                "token_type": "Bearer",
                "expires_in": 60,
                "refresh_token": self.refresh_token(subject),
                "id_token": jwt.encode(header, claims, self.keys["key-1"], algorithms=["ES256"]),
            }
        )

    def application(self) -> web.Application:
        app = super().application()
        app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._describe),
                web.post("/token", self._token),
            ]
        )
        return app


@contextmanager
def running_directory() -> Iterator[Directory]:
    """Start a provider on a free port."""
    directory = Directory()
    with serving(directory.application()) as url:
        directory.url = url
        yield directory
