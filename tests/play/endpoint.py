"""A service's own endpoint, written from docs/providers/http.md alone."""

import hashlib
import hmac
import json

from aiohttp import web

from tests.play.server import AccountServer, Asked, User

SECRET = "canary-secret-of-the-endpoint-0123456789"
WINDOW = 300


class Endpoint(AccountServer):
    """Believes what is signed, fresh, and new."""

    def __init__(self, now: int, secret: str = SECRET) -> None:
        super().__init__()
        self.url = f"{self.origin}/latchkey"
        self.now = now
        """What its clock says."""
        self.secret = secret
        self.tiers: dict[str, str] = {}
        """Name -> tier."""
        self._nonces: set[str] = set()

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer one question."""
        if asked.method != "POST" or asked.path != "/latchkey":
            return web.Response(status=404)
        if not self._is_genuine(asked):
            return web.Response(status=401)
        question = json.loads(asked.body)
        if question["question"] == "sign in":
            return web.json_response(self._sign_in(question))
        if question["question"] == "still there":
            users = {self._subject(user): user for user in self.users}
            user = users.get(question["subject"])
            return web.json_response({"there": user is not None and not user.disabled})
        return web.Response(status=400)

    def _is_genuine(self, asked: Asked) -> bool:
        timestamp, nonce = asked.headers["Latchkey-Timestamp"], asked.headers["Latchkey-Nonce"]
        signed = b".".join([b"v1", timestamp.encode(), nonce.encode(), asked.body])
        expected = "v1=" + hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, asked.headers["Latchkey-Signature"]):
            return False
        if abs(int(timestamp) - self.now) > WINDOW or nonce in self._nonces:
            return False
        self._nonces.add(nonce)
        return True

    def _sign_in(self, question: dict[str, str]) -> dict[str, object]:
        user = self.find(question["name"])
        if user is None or user.password != question["password"]:
            return {"refused": "wrong"}
        if user.disabled:
            return {"refused": "disabled"}
        if not user.allowed:
            return {"refused": "not allowed"}
        tier = self.tiers.get(user.name)
        return {"subject": self._subject(user), "nickname": user.name, **({"tier": tier} if tier else {})}

    def _subject(self, user: User) -> str:
        return user.id or f"number-{self.users.index(user)}"
