"""Servers that speak the Subsonic API: Navidrome, Airsonic, Gonic and their kin.

Asked by `ping`, with a salted token in place of the password (Subsonic API 1.13.0, and OpenSubsonic's page on errors).
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from auth_worker.providers.base import Identity, Surroundings
from auth_worker.providers.reading import be_unavailable, part, text, typed
from auth_worker.providers.web import Answer, ProviderUnavailable, Web
from shared.boxes import LoginEvidence
from shared.context import Random
from shared.domain.errors import AccountUnsupported, SignInRefused
from shared.settings import SubsonicProviderSettings

OK = -1
"""Stands for "no error" among Subsonic's error codes."""
WRONG = 40
KEY_WRONG = 44
NOT_AUTHORIZED = 50
TAKES_NO_TOKEN = {10, 30, 41, 42}
"""How servers say that they cannot check a token: parameter missing or version too new (older than 1.13.0), not for
this user (LDAP), not by this mechanism."""
NO_METHOD = {404, 405, 410, 501}
"""HTTP's way to say that a server has no such method."""
NOT_FOR_THEM = {30, NOT_AUTHORIZED, 70}
"""Subsonic's ways to say so, or that this person may not call it."""
WITH_TOKEN, WITHOUT = "1.13.0", "1.8.0"
"""API versions that we claim: a server refuses one that is newer than its own."""

HINTS = {
    10: "it misses a parameter; is something on the way taking the query away?",
    20: "it wants a newer client",
    30: "it is too old",
    42: "it takes API keys only, so nobody can sign in with a password; allow passwords there",
    43: "credentials of two kinds reached it; is a proxy on the way adding its own?",
    60: "its trial is over",
}
"""Subsonic's error code -> the way out, for the log."""


class SubsonicProvider:
    """Checks names and passwords at one server."""

    def __init__(self, settings: SubsonicProviderSettings, web: Web, random: Random) -> None:
        self._settings = settings
        self._web = web
        self._random = random
        self._takes_forms: bool | None = None

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        """Return the server's user whose password this is."""
        name, password = typed(evidence)
        async with self._web.within(self._settings.url):
            proof = self._token(name, password)
            answer = await self._ask("ping", proof)
            if _code(answer) in TAKES_NO_TOKEN:
                proof = self._password(name, password, answer)
                answer = await self._ask("ping", proof)
            _judge(answer)
            return await self._identity(name, proof)

    async def _identity(self, name: str, proof: dict[str, str]) -> Identity:
        """Return the user under the name that the server itself writes: many take any case, and mean one account."""
        answer = await self._ask("getUser", proof | {"username": name})
        if answer.status in NO_METHOD or _code(answer) in NOT_FOR_THEM:
            # Not every server has `getUser`, or lets everybody call it. The name is then taken as it was typed.
            return Identity(subject=name, nickname=name)
        _judge(answer)
        user = part(_response(answer), "user")
        if user.get("streamRole") is False:
            raise AccountUnsupported
        written = text(user, "username", answer)
        if written.casefold() != name.casefold():
            raise ProviderUnavailable(f"{answer.address} told of somebody else than it was asked about")
        return Identity(subject=written, nickname=written)

    async def _ask(self, method: str, proof: dict[str, str]) -> Answer:
        if self._takes_forms is None:
            self._takes_forms = await self._offers_forms()
        answer = await self._send(method, proof, as_form=self._takes_forms)
        if not _response(answer):
            self._takes_forms = None  # It may be another server by now.
        return answer

    async def _offers_forms(self) -> bool:
        """Ask, as nobody in particular, whether parameters may be sent where no access log writes them down."""
        answer = await self._send("getOpenSubsonicExtensions", {"v": WITH_TOKEN}, as_form=False)
        extensions = _response(answer).get("openSubsonicExtensions")
        return isinstance(extensions, list) and any(
            isinstance(each, dict) and each.get("name") == "formPost" for each in extensions
        )

    async def _send(self, method: str, proof: dict[str, str], *, as_form: bool) -> Answer:
        url = f"{self._settings.url}/rest/{method}.view"
        fields = {**proof, "c": "Latchkey", "f": "json"}
        if as_form:
            return await self._web.send("POST", url, form=fields)
        return await self._web.send("GET", url, query=fields)

    def _token(self, name: str, password: str) -> dict[str, str]:
        salt = self._random.token_bytes(16).hex()
        # MD5 is what the API has.
        token = hashlib.md5(f"{password}{salt}".encode(), usedforsecurity=False).hexdigest()
        return {"u": name, "t": token, "s": salt, "v": WITH_TOKEN}

    def _password(self, name: str, password: str, answer: Answer) -> dict[str, str]:
        if not self._settings.allow_password:
            raise ProviderUnavailable(
                f"{answer.address} cannot check a token for this user (code {_code(answer)}); "
                "set allow_password, and read what it risks"
            )
        return {"u": name, "p": f"enc:{password.encode().hex()}", "v": WITHOUT}


@asynccontextmanager
async def open_subsonic(
    settings: SubsonicProviderSettings, within: Surroundings
) -> AsyncIterator[SubsonicProvider]:
    """Open a server that speaks the Subsonic API."""
    yield SubsonicProvider(settings, within.web, within.random)


def _judge(answer: Answer) -> None:
    if not _response(answer):
        be_unavailable(answer, "no Subsonic API there; `url` is the address of the server's start page")
    code = _code(answer)
    if code in {WRONG, KEY_WRONG}:
        raise SignInRefused
    if code == NOT_AUTHORIZED:
        raise AccountUnsupported
    if code != OK:
        hint = HINTS.get(code, "the server's own log says more")
        raise ProviderUnavailable(f"{answer.address} refused with Subsonic's code {code}; {hint}")


def _code(answer: Answer) -> int:
    """Return Subsonic's error code, 0 if it tells none; `OK` only for an answer that is a success in every respect."""
    response = _response(answer)
    code = part(response, "error").get("code")
    if isinstance(code, int):
        return code
    # Funkwhale has said "ok" beside a refusal (its issue 616).
    good = (
        answer.status == 200 and response.get("status") == "ok" and not {"error", "detail"} & response.keys()
    )
    return OK if good else 0


def _response(answer: Answer) -> dict[str, Any]:
    try:
        return part(answer.json(), "subsonic-response")
    except ProviderUnavailable:
        return {}
