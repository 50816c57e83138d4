"""Jellyfin, and Emby, whose API it kept: `POST /Users/AuthenticateByName`.

The sign-in opens a session of a device; it is ended at once. Sources: Jellyfin's OpenAPI description (10.11), its
`UserManager.AuthenticateUser` for what is refused how, and `AuthorizationContext` for the headers.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from auth_worker.providers.base import Identity, Surroundings
from auth_worker.providers.reading import be_unavailable, part, shown, text, typed
from auth_worker.providers.web import Answer, ProviderUnavailable, Web
from shared.boxes import LoginEvidence
from shared.domain.errors import AccountDisabled, AccountUnsupported, SignInRefused
from shared.settings import JellyfinProviderSettings

LOGOUT_SECONDS = 2.0
"""How long a person waits for the end of a session that they never see."""

_USER_ID = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"[\w.~+/=-]{1,512}")
"""What may stand between quotes in a header."""


class JellyfinProvider:
    """Checks names and passwords at one server."""

    def __init__(self, settings: JellyfinProviderSettings, web: Web, device_id: str) -> None:
        self._url = settings.url
        self._web = web
        self._device = f'Client="Latchkey", Device="Latchkey", DeviceId="{device_id}", Version="1"'

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        """Return the server's user whose password this is."""
        name, password = typed(evidence)
        async with self._web.within(self._url):
            answer = await self._web.send(
                "POST",
                f"{self._url}/Users/AuthenticateByName",
                json={"Username": name, "Pw": password},
                headers=self._headers(),
            )
        _judge(answer)
        content = answer.json()
        await self._log_out(content.get("AccessToken"))
        user = part(content, "User")
        policy = part(user, "Policy")
        if policy.get("IsDisabled") is True:
            raise AccountDisabled
        if policy.get("EnableMediaPlayback") is False:
            raise AccountUnsupported
        return Identity(
            subject=_user_id(text(user, "Id", answer), answer), nickname=shown(user, "Name", name)
        )

    async def _log_out(self, token: object) -> None:
        """End the session that the check has opened; one that stays is replaced by the next check, as the device is the same."""
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            with suppress(ProviderUnavailable):
                async with self._web.within(self._url, LOGOUT_SECONDS):
                    await self._web.send(
                        "POST", f"{self._url}/Sessions/Logout", headers=self._headers(f', Token="{token}"')
                    )

    def _headers(self, token: str = "") -> dict[str, str]:
        # Jellyfin reads the first, from 12 on nothing else; Emby has always read the second.
        return {
            "Authorization": f"MediaBrowser {self._device}{token}",
            "X-Emby-Authorization": f"Emby {self._device}{token}",
        }


@asynccontextmanager
async def open_jellyfin(
    settings: JellyfinProviderSettings, within: Surroundings
) -> AsyncIterator[JellyfinProvider]:
    """Open a Jellyfin or Emby server."""
    yield JellyfinProvider(settings, within.web, device_id(within))


def device_id(within: Surroundings) -> str:
    """Return the id under which a server knows this installation: always the same, whichever process asks."""
    return hashlib.sha256(f"{within.settings.public_url}\0{within.name}".encode()).hexdigest()[:32]


def _judge(answer: Answer) -> None:
    if answer.status == 401 and not answer.challenged:
        raise SignInRefused
    if answer.status == 403 and not answer.challenged:
        # Disabled, outside of the hours they may use it, too many sessions, or no access from elsewhere: it does not
        # say which, and says it before it looks at the password.
        raise AccountDisabled
    if answer.status != 200:
        be_unavailable(answer, "no Jellyfin there; `url` is the address of its start page, without /web")


def _user_id(told: str, answer: Answer) -> str:
    """Return a user's id in one form: Jellyfin's versions write it with and without hyphens."""
    plain = told.replace("-", "").lower()
    if not _USER_ID.fullmatch(plain):
        raise ProviderUnavailable(f"{answer.address} answered with a user id that is none of Jellyfin's")
    return plain
