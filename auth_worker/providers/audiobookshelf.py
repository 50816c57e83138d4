"""Audiobookshelf: `POST /login`.

The sign-in opens a session; it is ended at once. Sources: Audiobookshelf's API documentation, and `server/Auth.js`,
`server/auth/LocalAuthStrategy.js` and `server/utils/rateLimiterFactory.js` of its version 2.26 and later.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from auth_worker.providers.base import Identity, Surroundings
from auth_worker.providers.reading import be_unavailable, part, text, typed
from auth_worker.providers.web import Answer, ProviderUnavailable, Web
from shared.boxes import LoginEvidence
from shared.domain.errors import AccountDisabled, SignInRefused
from shared.settings import AudiobookshelfProviderSettings

LARGEST_ANSWER = 8 * 1024 * 1024
"""The answer holds the person's progress in every book: half a kilobyte for each."""
LOGOUT_SECONDS = 2.0
"""How long a person waits for the end of a session that they never see."""
LONGEST_TOKEN = 2048


class AudiobookshelfProvider:
    """Checks names and passwords at one server."""

    def __init__(self, settings: AudiobookshelfProviderSettings, web: Web) -> None:
        self._url = settings.url
        self._web = web

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        """Return the server's user whose password this is."""
        name, password = typed(evidence)
        async with self._web.within(self._url):
            answer = await self._web.send(
                "POST",
                f"{self._url}/login",
                json={"username": name, "password": password},
                headers={"x-return-tokens": "true"},
                largest=LARGEST_ANSWER,
            )
        _judge(answer)
        user = part(answer.json(), "user")
        await self._log_out(user.get("refreshToken"))
        if user.get("isActive") is False:
            raise AccountDisabled
        subject, nickname = text(user, "id", answer), text(user, "username", answer)
        if nickname.casefold() != name.casefold():
            # It looks names up by a pattern, so that `%` stands for anybody.
            raise SignInRefused
        return Identity(subject=subject, nickname=nickname)

    async def _log_out(self, token: object) -> None:
        """End the session that the check has opened. Before 2.26 there are no sessions, and nothing to end."""
        if (
            isinstance(token, str)
            and 0 < len(token) <= LONGEST_TOKEN
            and token.isascii()
            and token.isprintable()
        ):
            with suppress(ProviderUnavailable):
                async with self._web.within(self._url, LOGOUT_SECONDS):
                    await self._web.send("POST", f"{self._url}/logout", headers={"x-refresh-token": token})


@asynccontextmanager
async def open_audiobookshelf(
    settings: AudiobookshelfProviderSettings, within: Surroundings
) -> AsyncIterator[AudiobookshelfProvider]:
    """Open an Audiobookshelf server."""
    yield AudiobookshelfProvider(settings, within.web)


def _judge(answer: Answer) -> None:
    if answer.status == 401 and not answer.challenged:
        # An account that was made inactive is refused like an unknown one.
        raise SignInRefused
    if answer.status == 500:
        be_unavailable(answer, "is password authentication switched on in its settings?")
    if answer.status != 200:
        be_unavailable(
            answer, "no Audiobookshelf there; `url` is the address of its start page, with its base path"
        )
