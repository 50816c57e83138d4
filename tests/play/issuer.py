"""An authorization server of the music service, as far as its own app needs one: tokens, and three ways of verifying them."""

import asyncio
import base64
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

AUDIENCE = "latchkey"
CLIENT, CLIENT_SECRET = "latchkey at work", "canary:secret/of introspection"
SCOPE = "sonos"


class Issuer:
    """The server, in a thread of its own; what it does can be changed while it runs."""

    def __init__(self) -> None:
        self.keys = {"key-1": ECKey.generate_key("P-256", {"kid": "key-1", "use": "sig"})}
        self.stranger = ECKey.generate_key("P-256", {"kid": "key-1", "use": "sig"})
        self.opaque: dict[str, dict[str, Any]] = {}
        """Opaque token -> what introspection and userinfo say of it."""
        self.down = False
        self.asked: Counter[str] = Counter()
        self.url = ""

    def token(
        self, subject: str, *, key: str = "key-1", signed_by: ECKey | None = None, **changes: Any
    ) -> str:
        """Return a JWT for a person; *changes* are other claims, None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": subject,
            "exp": now + 600,
            "scope": f"openid {SCOPE}",
            "preferred_username": subject.title(),
        } | changes
        header = {"alg": "ES256", "kid": key, "typ": claims.pop("typ", "at+jwt")}
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, kept, signed_by or self.keys[key], algorithms=["ES256"])

    def signed_with_the_public_key(self, subject: str) -> str:
        """Return a JWT whose HMAC key is the public key, as a forger would try (RFC 8725, section 2.1)."""
        public = self.keys["key-1"].as_pem(private=False)
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": subject,
            "exp": int(time.time()) + 600,
            "scope": SCOPE,
        }
        signed = f"{_part({'alg': 'HS256', 'kid': 'key-1'})}.{_part(claims)}"
        mac = hmac.digest(public, signed.encode(), "sha256")
        return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    def unsigned(self, subject: str) -> str:
        """Return a JWT that says it needs no signature."""
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": subject,
            "exp": int(time.time()) + 600,
            "scope": SCOPE,
        }
        return ".".join((_part({"alg": "none", "kid": "key-1"}), _part(claims), ""))

    def opaque_token(self, subject: str, **changes: Any) -> str:
        """Return an opaque token for a person."""
        token = f"canary-opaque-token-{len(self.opaque)}-of-{subject}"
        self.opaque[token] = {
            "active": True,
            "iss": self.url,
            "aud": [AUDIENCE, "others"],
            "sub": subject,
            "scope": f"openid {SCOPE}",
            "preferred_username": subject.title(),
        } | changes
        return token

    def rotate(self) -> None:
        """Sign with another key from now on, and publish that one alone."""
        self.keys = {"key-2": ECKey.generate_key("P-256", {"kid": "key-2", "use": "sig"})}

    async def _jwks(self, request: web.Request) -> web.StreamResponse:
        if answer := self._asked("jwks"):
            return answer
        published = [key.as_dict(private=False) for key in self.keys.values()]
        odd = [
            {"kty": "AKP", "kid": "of the future"},
            {"kty": "oct", "kid": "key-1", "k": "bm9ib2R5IHNob3VsZCBwdWJsaXNoIG9uZSBvZiB0aGVzZQ"},
            RSAKey.generate_key(2048, {"kid": "for encryption", "use": "enc"}).as_dict(private=False),
            {"kty": "EC", "kid": "broken"},
        ]
        return web.json_response({"keys": odd + published})

    async def _introspect(self, request: web.Request) -> web.StreamResponse:
        if answer := self._asked("introspect"):
            return answer
        expected = "latchkey+at+work:canary%3Asecret%2Fof+introspection"
        if request.headers.get("Authorization") != "Basic " + base64.b64encode(expected.encode()).decode():
            return web.Response(status=401)
        form = await request.post()
        return web.json_response(self.opaque.get(str(form["token"]), {"active": False}))

    async def _userinfo(self, request: web.Request) -> web.StreamResponse:
        if answer := self._asked("userinfo"):
            return answer
        known = self.opaque.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return web.json_response(known) if known else web.Response(status=401)

    def _asked(self, what: str) -> web.Response | None:
        self.asked[what] += 1
        return web.Response(status=500, text="down") if self.down else None

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/jwks", self._jwks),
                web.post("/introspect", self._introspect),
                web.get("/userinfo", self._userinfo),
            ]
        )
        return app


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Start a server on a free port."""
    issuer = Issuer()
    with serving(issuer.application()) as url:
        issuer.url = url
        yield issuer


@contextmanager
def serving(app: web.Application) -> Iterator[str]:
    """Serve an application from a thread of its own, so that tests of any kind can use it; yields its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[web.AppRunner, str]:
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return runner, f"http://{host}:{port}"

    runner, url = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield url
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
