"""An identity provider that tests bend: it signs what it is told to, and remembers what it was asked.

The honest parts follow OpenID Connect Core; everything that goes into a token, and every answer, can be replaced.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jws
from joserfc.jwk import Key, RSAKey
from joserfc.jws import JWSRegistry

Claims = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Trouble = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True)
class Code:
    """What an authorization code stands for."""

    asked: dict[str, str]
    subject: str


@dataclass(kw_only=True)
class Forger:
    """The provider, and the strings it is pulled by."""

    issuer: str = ""
    key: Key = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}))
    published: list[Key] = field(default_factory=list)
    bend: Callable[[Claims], Claims | None] = lambda claims: claims
    """Changes the claims of an ID token."""
    sign: Callable[[Claims], str] | None = None
    """Makes a token of claims, in place of the honest way."""
    metadata: Claims = field(default_factory=dict)
    """Put over the honest metadata."""
    codes: dict[str, Code] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    """Refresh token -> subject."""
    userinfo: Claims = field(default_factory=lambda: {"sub": "ann", "plan": "gold"})
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Path -> status and JSON to answer in place of the honest answer."""
    trouble: Trouble | None = None
    """Answers at the token endpoint, in place of the honest handler or around it."""
    requests: list[tuple[str, Claims, Claims]] = field(default_factory=list)
    """Path, form and headers of what was asked for."""
    said: list[str] = field(default_factory=list)
    """Every secret that was given out."""
    states: list[str] = field(default_factory=list)
    """Every state that people came with."""
    with_iss: bool = True
    refreshes: bool = True

    def token(self, claims: Claims, *, typ: str = "JWT", key: Key | None = None, **header: object) -> str:
        """Return signed claims."""
        key = key or self.key
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[key.key_type]
        return jws.serialize_compact(
            {"alg": algorithm, "kid": key.kid, "typ": typ, **header},
            json.dumps(claims).encode(),
            key,
            registry=JWSRegistry(algorithms=[algorithm], strict_check_header=False),
        )

    def code_for(self, asked: dict[str, str], subject: str = "ann") -> str:
        """Return a code, as the person would bring it back."""
        code = f"canary-code-{len(self.said)}-{secrets.token_hex(8)}"
        self.codes[code] = Code(asked=asked, subject=subject)
        self.said.append(code)
        return code

    def asked(self, path: str) -> list[Claims]:
        """Return the forms sent to a path."""
        return [form for found, form, _ in self.requests if found == path]

    async def _metadata(self, _: web.Request) -> web.Response:
        honest = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "authorization_response_iss_parameter_supported": self.with_iss,
        }
        return web.json_response(honest | self.metadata)

    async def _jwks(self, _: web.Request) -> web.Response:
        keys = self.published or [self.key]
        return web.json_response({"keys": [key.as_dict(private=False) for key in keys]})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        self.states.append(asked["state"])
        subject = request.cookies.get("who") or "ann"
        query = {"code": self.code_for(asked, subject), "state": asked["state"]}
        if self.with_iss:
            query["iss"] = self.issuer
        return web.Response(status=303, headers={"Location": f"{asked['redirect_uri']}?{urlencode(query)}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        if form["grant_type"] == "refresh_token":
            subject = self.refresh_tokens.pop(str(form["refresh_token"]), None)
            return self._tokens(subject, {}) if subject else _error("invalid_grant")
        code = self.codes.pop(str(form.get("code")), None)
        challenge = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        if (
            code is None
            or code.asked["redirect_uri"] != form.get("redirect_uri")
            or code.asked["code_challenge"] != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        ):
            return _error("invalid_grant")
        return self._tokens(code.subject, code.asked)

    def _tokens(self, subject: str, asked: dict[str, str]) -> web.Response:
        number = len(self.said)
        access_token = f"canary-access-token-{number}-{secrets.token_hex(8)}"
        refresh_token = f"canary-refresh-token-{number}-{secrets.token_hex(8)}"
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "latchkey",
            "sub": subject,
            "iat": now,
            "exp": now + 300,
            "nickname": f"{subject} of the forger",
        }
        if "max_age" in asked:
            claims["auth_time"] = now
        if "nonce" in asked:
            claims["nonce"] = asked["nonce"]
        bent = self.bend(claims)
        answer: Claims = {"access_token": access_token, "token_type": "Bearer", "expires_in": 300}
        if bent is not None:
            answer["id_token"] = (self.sign or self.token)(bent)
        if self.refreshes:
            answer["refresh_token"] = refresh_token
            self.refresh_tokens[refresh_token] = subject
        self.said += [value for name, value in answer.items() if name.endswith("token")]
        self.userinfo["sub"] = subject
        return web.json_response(answer)

    async def _userinfo(self, _: web.Request) -> web.Response:
        return web.json_response(self.userinfo)


def _error(error: str) -> web.Response:
    return web.json_response({"error": error}, status=400)


@asynccontextmanager
async def forging() -> AsyncIterator[Forger]:
    """Serve a forger on a port of its own."""
    forger = Forger()

    @web.middleware
    async def noted(request: web.Request, handler: Handler) -> web.StreamResponse:
        forger.requests.append((request.path, dict(await request.post()), dict(request.headers)))
        if request.path in forger.answers:
            status, content = forger.answers[request.path]
            return web.json_response(content, status=status)
        if request.path == "/token" and forger.trouble is not None:
            return await forger.trouble(request, handler)
        return await handler(request)

    app = web.Application(middlewares=[noted])
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", forger._metadata),
            web.get("/jwks", forger._jwks),
            web.get("/authorize", forger._authorize),
            web.post("/token", forger._token),
            web.get("/userinfo", forger._userinfo),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    forger.issuer = f"http://{host}:{port}"
    try:
        yield forger
    finally:
        await runner.cleanup()
