"""An endpoint of the service's own, asked by signed requests; `docs/providers/http.md` is written for who builds it."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from pydantic import SecretBytes

from auth_worker.providers.base import Identity, Surroundings
from auth_worker.providers.reading import be_unavailable, shown, text, typed
from auth_worker.providers.web import Answer, ProviderUnavailable, Web
from shared.boxes import LoginEvidence
from shared.context import Clock, Random
from shared.domain.account import AccountTier
from shared.domain.errors import AccountDisabled, AccountUnsupported, Refusal, SignInRefused
from shared.settings import HttpProviderSettings, SettingsError

SHORTEST_SECRET = 32
REFUSALS: dict[str, type[Refusal]] = {
    "wrong": SignInRefused,
    "disabled": AccountDisabled,
    "not allowed": AccountUnsupported,
}
"""What the endpoint says under `refused` -> what becomes of the sign-in."""


class HttpProvider:
    """Asks one endpoint."""

    def __init__(
        self, settings: HttpProviderSettings, secret: SecretBytes, *, web: Web, clock: Clock, random: Random
    ) -> None:
        self._url = settings.url
        self._secret = secret
        self._web = web
        self._clock = clock
        self._random = random

    async def authenticate(self, evidence: LoginEvidence, *, service: str) -> Identity:
        """Return whom the endpoint says this is."""
        name, password = typed(evidence)
        question = {"question": "sign in", "service": service, "name": name, "password": password}
        answer, content = await self._ask(question)
        if "refused" in content:
            raise _refusal(content["refused"], answer)
        subject = text(content, "subject", answer)
        nickname = shown(content, "nickname", name)
        return Identity(subject=subject, nickname=nickname, tier=_tier(content.get("tier"), answer))

    async def recheck(self, subject: str) -> bool:
        """Tell whether a person whom the endpoint once named is still there.

        Raises:
            ProviderUnavailable: it did not say; that is no word about the person.
        """
        answer, content = await self._ask({"question": "still there", "subject": subject})
        there = content.get("there")
        if not isinstance(there, bool):
            raise ProviderUnavailable(f'{answer.address} did not answer "there" with true or false')
        return there

    async def _ask(self, question: Mapping[str, str]) -> tuple[Answer, dict[str, Any]]:
        body = msgspec.json.encode(question)
        timestamp, nonce = str(self._clock.now()), self._random.token_bytes(16).hex()
        headers = {
            "Latchkey-Timestamp": timestamp,
            "Latchkey-Nonce": nonce,
            "Latchkey-Signature": signature(
                self._secret.get_secret_value(), timestamp=timestamp, nonce=nonce, body=body
            ),
        }
        async with self._web.within(self._url):
            answer = await self._web.send("POST", self._url, json=body, headers=headers)
        if answer.status in {401, 403}:
            be_unavailable(answer, "it does not take our signature; compare the secrets and the clocks")
        if answer.status != 200:
            be_unavailable(answer, "it has to answer 200, also for a refusal")
        return answer, answer.json()


@asynccontextmanager
async def open_http(settings: HttpProviderSettings, within: Surroundings) -> AsyncIterator[HttpProvider]:
    """Open an endpoint.

    Raises:
        SettingsError: its secret cannot be read, or is too short.
    """
    secret = _secret(settings, within.name)
    yield HttpProvider(settings, secret, web=within.web, clock=within.clock, random=within.random)


def signature(secret: bytes, *, timestamp: str, nonce: str, body: bytes) -> str:
    """Return `v1=` and the HMAC-SHA256, in hex, of version, timestamp, nonce and body, each but the last with a dot behind it."""
    signed = f"v1.{timestamp}.{nonce}.".encode() + body
    return "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()


def _secret(settings: HttpProviderSettings, name: str) -> SecretBytes:
    where = f"providers.{name}.secret_file"
    try:
        secret = settings.secret_file.read_bytes().strip()
    except OSError as error:
        raise SettingsError(
            [f"{where}: cannot be read ({error.strerror}); make it with `openssl rand -hex 32`"]
        ) from None
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError([f"{where}: less than {SHORTEST_SECRET} characters; use `openssl rand -hex 32`"])
    return SecretBytes(secret)


def _refusal(told: object, answer: Answer) -> Exception:
    if isinstance(told, str) and told in REFUSALS:
        return REFUSALS[told]()
    known = ", ".join(REFUSALS)
    return ProviderUnavailable(f'{answer.address} answered "refused" with none of {known}')


def _tier(told: object, answer: Answer) -> AccountTier | None:
    if told is None:
        return None
    if told not in list(AccountTier):
        raise ProviderUnavailable(
            f'{answer.address} answered with a "tier" that is none of {", ".join(AccountTier)}'
        )
    return AccountTier(str(told))
