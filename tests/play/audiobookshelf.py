"""An Audiobookshelf server, as far as signing in goes.

Sources: advplyr/audiobookshelf, server/Auth.js (`/login`, `/logout`, the payload), server/auth/LocalAuthStrategy.js (who is refused: an
inactive user like an unknown one), server/models/User.js (`getUserByUsername`: SQL's LIKE, with its wildcards), and the API documentation's
"Login" for the fields of a user.
"""

import fnmatch
import secrets
import uuid

from aiohttp import web

from tests.play.server import AccountServer, Asked, User, body_of


class AudiobookshelfServer(AccountServer):
    """One server, with the sessions that are open at it."""

    def __init__(self, *, books: int = 3) -> None:
        super().__init__()
        self.url = f"{self.origin}/audiobookshelf"
        self.sessions: set[str] = set()
        """Refresh tokens."""
        self.books = books
        """In which everybody has got somewhere; the answer tells of each."""

    def find(self, name: str) -> User | None:
        """Look a user up as LIKE does."""
        pattern = name.lower().replace("%", "*").replace("_", "?")
        return next((user for user in self.users if fnmatch.fnmatchcase(user.name.lower(), pattern)), None)

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer one call."""
        if asked.method == "POST" and asked.path == "/audiobookshelf/login":
            return self._login(body_of(asked), return_tokens=asked.headers.get("x-return-tokens") == "true")
        if asked.method == "POST" and asked.path == "/audiobookshelf/logout":
            self.sessions.discard(asked.headers.get("x-refresh-token", ""))
            return web.json_response({"redirect_url": None})
        return web.Response(status=404, text="Not Found")

    def _login(self, content: dict[str, object], *, return_tokens: bool) -> web.Response:
        if not content.get("username") or not content.get("password"):
            return web.Response(status=400, text="Bad Request")
        user = self.find(str(content["username"]))
        if user is None or user.disabled or user.password != content["password"]:
            return web.Response(status=401, text="Unauthorized")
        refresh_token = f"eyJ.{secrets.token_urlsafe(24)}.x"
        self.sessions.add(refresh_token)
        response = web.json_response(
            {
                "user": self._user(user, refresh_token if return_tokens else None),
                "userDefaultLibraryId": "lib-1",
                "serverSettings": {"id": "server-settings", "version": "2.29.0"},
                "ereaderDevices": [],
                "Source": "docker",
            }
        )
        if not return_tokens:
            response.set_cookie("refresh_token", refresh_token, httponly=True)
        return response

    def _user(self, user: User, refresh_token: str | None) -> dict[str, object]:
        return {
            "id": user.id or str(uuid.uuid5(uuid.NAMESPACE_DNS, user.name)),
            "username": user.name,
            "email": None,
            "type": "user",
            "token": "eyJ.old.x",
            "isOldToken": True,
            "mediaProgress": [
                {"id": str(uuid.UUID(int=book)), "progress": 0.5, "ebookLocation": "x" * 400}
                for book in range(self.books)
            ],
            "isActive": True,
            "isLocked": False,
            "permissions": {"download": True, "accessAllLibraries": True},
            "accessToken": "eyJ.access.x",
            "refreshToken": refresh_token,
        }
