"""The way into the household page by an identity provider: the browser leaves for it, and comes back with a code."""

import structlog
from aiohttp import web

from gateway.context import GatewayContext
from gateway.pages.destinations import Destination, Destinations, is_redirect
from gateway.pages.guests import Guest, guest_of, new_secret
from gateway.pages.household_entry import HouseholdEntry
from gateway.pages.journeys import Refused, answer_of, evidence_of, way_to, word_for
from gateway.pages.rendering import see_other
from gateway.pages.round_trip import STATE_SECONDS, State
from shared.domain.visit import Purpose
from shared.storage.base import StoreUnavailable

log = structlog.get_logger(__name__)


class HouseholdDepartures(HouseholdEntry):
    """Signing in elsewhere, to look around or to erase."""

    def __init__(self, context: GatewayContext) -> None:
        super().__init__(context)
        self._destinations = Destinations(context)

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """Send a browser to a provider, to open a visit."""
        return await self._leave(request, Purpose.HOUSEHOLD)

    async def leave_to_erase(self, request: web.Request) -> web.StreamResponse:
        """Send a browser to a provider, for a new proof of who sits there."""
        return await self._leave(request, Purpose.ERASE)

    async def come_back(
        self, request: web.Request, name: str, state: State, destination: Destination | None
    ) -> web.StreamResponse:
        """Take in what a browser brings back.

        Raises:
            Refused: nothing that can be used.
        """
        guest = guest_of(request, state.purpose or Purpose.HOUSEHOLD, self._context, service=state.service)
        if not is_redirect(guest.providers.get(name)):
            raise Refused("the service does not take this provider any more")
        if destination is None:
            return self._back(guest, name, went="away")
        answer = answer_of(request, destination)
        if error := answer.get("error"):
            log.info("not signed in", provider=name, error=error, correlation_id=guest.correlation_id)
            return self._back(guest, name, went=word_for(error))
        evidence = evidence_of(
            state, answer["code"], provider=name, browser=guest.browser, context=self._context
        )
        return await self._open(guest, name, evidence, secret=state.visit)

    async def _leave(self, request: web.Request, purpose: Purpose) -> web.StreamResponse:
        guest, name = guest_of(request, purpose, self._context), request.match_info["provider"]
        if not is_redirect(guest.providers.get(name)):
            raise web.HTTPNotFound
        if not guest.browser.accepts(request.query.get("token", ""), self._cookie_keys, guest.leaving(name)):
            # Whoever was lured here past our page sees it now.
            return self._back(guest, name)
        try:
            destination = await self._destinations.find(name)
        except StoreUnavailable:
            return self._try_again(guest)
        if destination is None:
            log.warning("provider not known to gateways", provider=name, correlation_id=guest.correlation_id)
            return self._back(guest, name, went="away")
        state = State(
            service=guest.service,
            purpose=purpose,
            visit=new_secret(self._context.random),
            submission_id=self._context.new_id(),
            expires_at=self._context.clock.now() + STATE_SECONDS,
        )
        address = way_to(
            destination,
            state,
            provider=name,
            browser=guest.browser,
            context=self._context,
            anew=purpose is Purpose.ERASE,
        )
        return see_other(address)

    def _back(self, guest: Guest, name: str, **query: str) -> web.StreamResponse:
        return see_other(guest.address(**{"with": name}, **query))
