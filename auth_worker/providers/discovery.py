"""What a provider says about itself: its endpoints and keys, kept fresh, and the public part of it told to the gateways.

The gateway never leaves the house: it reads `provider_metadata`, which is written here.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from joserfc.jwk import KeySet

from auth_worker.providers.base import Surroundings
from auth_worker.providers.id_tokens import keys_from
from auth_worker.providers.web import ProviderUnavailable
from shared.settings import is_safe_address
from shared.storage.base import StoreUnavailable
from shared.storage.providers import ProviderMetadata

FRESH_SECONDS = 300.0
"""How often a provider is asked; so long is a key trusted that it has withdrawn."""
FAILED_SECONDS = 5.0
"""How long after a failure it is not asked again, whoever wants to sign in."""
KEY_MISS_SECONDS = 60.0
"""How often keys are fetched because of a key that nobody knows: anybody can make one up."""
_WAITS = (5.0, 10.0, 30.0, 60.0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a provider said about itself at one time."""

    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    iss_parameter: bool
    keys: KeySet
    fetched: float
    """By the monotonic clock."""


class Discovery:
    """One provider's word about itself."""

    def __init__(self, issuer: str, within: Surroundings) -> None:
        self._issuer = issuer
        self._within = within
        self._known: Known | None = None
        self._failure: tuple[float, str] | None = None
        self._one = asyncio.Lock()
        self._telling: asyncio.Task[None] | None = None

    async def known(self, *, after: float | None = None) -> Known:
        """Return what is known; what was fetched by the time *after* is fetched again.

        Raises:
            ProviderUnavailable: nothing is known, and the provider cannot be asked.
        """
        async with self._one:
            if self._known is None or (after is not None and self._known.fetched <= after):
                self._known = await self._fetched()
            return self._known

    async def after_a_key_miss(self, missed: Known) -> Known | None:
        """Return what is known with newer keys than *missed* has; None if it is too early to ask again."""
        if self._now() < missed.fetched + KEY_MISS_SECONDS:
            return None
        return await self.known(after=missed.fetched)

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Ask the provider now and then, and tell the gateways."""
        task = asyncio.create_task(self._keep_fresh())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            if self._telling is not None:
                await asyncio.wait({self._telling})

    async def _keep_fresh(self) -> None:
        failures = 0
        while True:
            try:
                known = await self.known(after=self._now())
                # Not broken off in the middle: a connection to the database would be left behind.
                self._telling = asyncio.create_task(self._tell(known))
                await asyncio.shield(self._telling)
                failures, wait = 0, FRESH_SECONDS
            except (ProviderUnavailable, StoreUnavailable) as error:
                wait = _WAITS[min(failures, len(_WAITS) - 1)]
                failures += 1
                log.warning(
                    "provider's metadata not fresh",
                    provider=self._within.name,
                    reason=str(error),
                    again_in_s=wait,
                )
            await asyncio.sleep(wait)

    async def _tell(self, known: Known) -> None:
        # A database that was not migrated yet would fail in a way that no waiting mends.
        await self._within.store.check()
        async with self._within.store.transaction() as transaction:
            await transaction.put_provider_metadata(
                ProviderMetadata(
                    provider=self._within.name,
                    issuer=self._issuer,
                    authorization_endpoint=known.authorization_endpoint,
                    iss_parameter=known.iss_parameter,
                )
            )

    async def _fetched(self) -> Known:
        if self._failure and self._now() < self._failure[0] + FAILED_SECONDS:
            raise ProviderUnavailable(self._failure[1])
        try:
            known = await self._fetch()
        except ProviderUnavailable as failure:
            self._failure = (self._now(), str(failure))
            raise
        self._failure = None
        return known

    async def _fetch(self) -> Known:
        started = self._now()
        document = await self._json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer:
            raise ProviderUnavailable(
                f"{self._issuer} calls itself {str(document.get('issuer'))[:256]!r}; set `issuer` to exactly that"
            )
        keys = keys_from(await self._json(self._endpoint(document, "jwks_uri")))
        if not keys:
            raise ProviderUnavailable(f"{self._issuer} has published no key that is known here")
        return Known(
            authorization_endpoint=self._endpoint(document, "authorization_endpoint"),
            token_endpoint=self._endpoint(document, "token_endpoint"),
            userinfo_endpoint=(
                self._endpoint(document, "userinfo_endpoint") if "userinfo_endpoint" in document else None
            ),
            iss_parameter=document.get("authorization_response_iss_parameter_supported") is True,
            keys=keys,
            fetched=started,
        )

    async def _json(self, url: str) -> dict[str, Any]:
        answer = await self._within.web.send("GET", url, headers={"Accept": "application/json"})
        if answer.status != 200:
            raise ProviderUnavailable(f"{url} answered {answer.status}")
        return answer.json()

    def _endpoint(self, document: Mapping[str, object], name: str) -> str:
        address = document.get(name)
        if not isinstance(address, str) or len(address) > 2048 or not is_safe_address(address):
            raise ProviderUnavailable(f"{self._issuer} names no {name} to which a secret could be sent")
        return address

    def _now(self) -> float:
        return self._within.clock.monotonic()
