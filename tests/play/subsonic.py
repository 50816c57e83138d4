"""A server with the Subsonic API, as Navidrome and its kin answer.

Shapes: opensubsonic/open-subsonic-api, content/en/docs: Endpoints/{ping,getuser,getopensubsonicextensions}.md,
Responses/error.md, Extensions/formPost.md. Behaviour: navidrome/navidrome, server/subsonic/{middlewares,users}.go: names in any
case, `getUser` answers with the name as it is stored, token or password.
"""

import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from tests.play.server import AccountServer, Asked, User


class SubsonicServer(AccountServer):
    """Takes salted tokens; in a query, or where it says so in a form as well."""

    def __init__(
        self, *, forms: bool = False, refuses_tokens: int | None = None, has_get_user: bool = True
    ) -> None:
        super().__init__()
        self.forms = forms
        self.refuses_tokens = refuses_tokens
        """The error code with which tokens are refused, as for people from LDAP."""
        self.refuses: int | None = None
        """The error code with which everything is refused."""
        self.has_get_user = has_get_user

    async def answer(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """Answer one method."""
        method = asked.path.removeprefix("/rest/").removesuffix(".view")
        if not asked.path.startswith("/rest/") or (method == "getUser" and not self.has_get_user):
            return web.Response(status=404, text="404 page not found")
        fields = dict(request.query)
        if asked.method == "POST":
            assert self.forms
            fields |= dict(parse_qsl(asked.body.decode()))
        assert fields["f"] == "json"
        if method == "getOpenSubsonicExtensions":
            offered = [{"name": "formPost", "versions": [1]}] if self.forms else []
            return _ok({"openSubsonicExtensions": [{"name": "songLyrics", "versions": [1]}, *offered]})
        found = self._judge(fields)
        if isinstance(found, int):
            return _failed(found)
        if method == "getUser":
            return _ok({"user": {"username": found.name, "adminRole": False, "streamRole": found.allowed}})
        assert method == "ping"
        return _ok({})

    def _judge(self, fields: Mapping[str, str]) -> User | int:
        if self.refuses is not None:
            return self.refuses
        if not fields.get("u") or not fields.get("v") or not fields.get("c"):
            return 10
        if "t" in fields and self.refuses_tokens is not None:
            return self.refuses_tokens
        user = self.find(fields["u"])
        if user is None or user.disabled or not _proves(fields, user.password):
            return 40
        return user


def _proves(fields: Mapping[str, str], password: str) -> bool:
    if "t" in fields:
        assert len(fields["s"]) >= 6
        return fields["t"] == hashlib.md5(f"{password}{fields['s']}".encode()).hexdigest()
    return fields["p"] == f"enc:{password.encode().hex()}"


def _ok(content: dict[str, object]) -> web.Response:
    return _response({"status": "ok", **content})


def _failed(code: int) -> web.Response:
    return _response({"status": "failed", "error": {"code": code, "message": "as the documentation has it"}})


def _response(content: dict[str, object]) -> web.Response:
    about = {"version": "1.16.1", "type": "play", "serverVersion": "1", "openSubsonic": True}
    return web.json_response({"subsonic-response": about | content})
