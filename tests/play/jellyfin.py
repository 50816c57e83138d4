"""A Jellyfin server, as far as signing in goes; also as Emby, which reads another header.

Shapes: Jellyfin's OpenAPI description 10.11, `AuthenticationResult`, `UserDto`, `UserPolicy`. Behaviour: jellyfin/jellyfin,
Jellyfin.Server.Implementations/Users/UserManager.cs (`AuthenticateUser`: an unknown name or wrong password is 401; a disabled
user is 403 before the password is looked at), Jellyfin.Api/Middleware/ExceptionMiddleware.cs (errors are plain text), and
Security/AuthorizationContext.cs (the parts of the header; version 12 reads `Authorization` alone).
"""

import re
import secrets
import uuid

from aiohttp import web

from tests.play.server import AccountServer, Asked, User, body_of

_PART = re.compile(r'(\w+)="([^"]*)"')


class JellyfinServer(AccountServer):
    """One server, with the sessions that are open at it."""

    def __init__(self, *, emby: bool = False) -> None:
        super().__init__()
        self.emby = emby
        self.url = f"{self.origin}/emby" if emby else self.origin
        self.sessions: dict[str, str] = {}
        """Access token -> id of the device."""
        self.devices: list[str] = []
        """Of every sign-in that succeeded."""

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer one call."""
        path = asked.path.removeprefix("/emby") if self.emby else asked.path
        header = "X-Emby-Authorization" if self.emby else "Authorization"
        scheme, _, rest = asked.headers.get(header, "").partition(" ")
        parts = dict(_PART.findall(rest)) if scheme == ("Emby" if self.emby else "MediaBrowser") else {}
        if asked.method != "POST" or path not in {"/Users/AuthenticateByName", "/Sessions/Logout"}:
            return web.Response(status=404)
        if path == "/Sessions/Logout":
            known = self.sessions.pop(parts.get("Token", ""), None)
            return web.Response(status=204 if known else 401)
        if not all(parts.get(each) for each in ("Client", "Device", "DeviceId", "Version")):
            return _error(400)
        return self._authenticate(body_of(asked), parts["DeviceId"])

    def _authenticate(self, content: dict[str, object], device: str) -> web.Response:
        user = self.find(str(content["Username"]))
        if user is None:
            return _error(401)
        if user.disabled:
            return _error(403)
        if content["Pw"] != user.password:
            return _error(401)
        token = secrets.token_hex(16)
        # A device has one token per user: an earlier one ends.
        self.sessions = {old: its for old, its in self.sessions.items() if its != device} | {token: device}
        self.devices.append(device)
        return web.json_response(self._result(user, token, device))

    def _result(self, user: User, token: str, device: str) -> dict[str, object]:
        server = "4d7c2a9be0f14e6f9b1a3c5d7e9f0a1b"
        user_id = user.id or uuid.uuid5(uuid.NAMESPACE_DNS, user.name).hex
        return {
            "User": {
                "Name": user.name,
                "ServerId": server,
                "Id": user_id,
                "HasPassword": True,
                "HasConfiguredPassword": True,
                "EnableAutoLogin": False,
                "Policy": {
                    "IsAdministrator": False,
                    "IsDisabled": False,
                    "EnableRemoteAccess": True,
                    "EnableMediaPlayback": user.allowed,
                    "LoginAttemptsBeforeLockout": -1,
                    "MaxActiveSessions": 0,
                },
            },
            "SessionInfo": {
                "UserId": user_id,
                "UserName": user.name,
                "Client": "Latchkey",
                "DeviceId": device,
            },
            "AccessToken": token,
            "ServerId": server,
        }


def _error(status: int) -> web.Response:
    return web.Response(status=status, text="Error processing request.", content_type="text/plain")
