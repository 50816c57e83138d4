"""The two requests of a browser that signs in elsewhere: it leaves for the provider, and it comes back with a code.

The gateway itself speaks to no provider. What a browser brings back is sealed for auth_worker, who does.
"""

import msgspec
import structlog
from aiohttp import web

from gateway.context import GatewayContext
from gateway.pages.destinations import Destination, Destinations, is_redirect
from gateway.pages.household_departures import HouseholdDepartures
from gateway.pages.journeys import Refused, answer_of, evidence_of, state_of, way_to, word_for
from gateway.pages.rendering import page, see_other
from gateway.pages.round_trip import STATE_SECONDS, State
from gateway.pages.views import LinkPages, Visit, leaving
from shared.boxes import evidence_identity
from shared.domain.sight import Sight
from shared.messages import LinkLoginSubmitted
from shared.sealing import seal
from shared.storage.base import StoreUnavailable

log = structlog.get_logger(__name__)


class ProviderPages(LinkPages):
    """Sends browsers to identity providers, and takes in what they bring back."""

    def __init__(self, context: GatewayContext, household: HouseholdDepartures) -> None:
        super().__init__(context)
        self._destinations = Destinations(context)
        self._household = household

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """Send a browser to a provider, if it has seen the page that says who asks."""
        visit, name = self._visit(request), request.match_info["provider"]
        if visit is None or not is_redirect(visit.providers.get(name)):
            return self._nothing_here()
        if not visit.browser.accepts(
            request.query.get("token", ""), self._cookie_keys, leaving(visit.link_id, name)
        ):
            # Whoever was lured here past our page sees it now.
            return self._back(visit, name)
        try:
            destination = await self._destinations.find(name)
        except StoreUnavailable:
            return self._try_again(visit)
        if destination is None:
            self._saw(visit, Sight.AWAY, name)
            log.warning("provider not known to gateways", provider=name, correlation_id=visit.correlation_id)
            return self._back(visit, name, went="away")
        self._saw(visit, Sight.LEFT, name)
        return see_other(self._destined(visit, name, destination))

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """Take in what a browser brings back from a provider, for a link or for the household page."""
        name = request.match_info["provider"]
        try:
            state = state_of(request, name, self._context)
            destination = await self._destinations.find(name)
            if state.purpose is not None:
                return await self._household.come_back(request, name, state, destination)
            return await self._come_back(request, name, state, destination)
        except Refused as refused:
            known = name if name in self._context.settings.providers else "unknown"
            log.warning("sign-in refused", provider=known, reason=str(refused))
            return self._unusable()
        except StoreUnavailable:
            # The browser still has its code, and brings it again.
            services = self._context.settings.services
            return page(
                "try_again", next(iter(services.values())), {"address": str(request.rel_url)}, status=503
            )

    async def _come_back(
        self, request: web.Request, name: str, state: State, destination: Destination | None
    ) -> web.StreamResponse:
        visit = self._visit(request, state.code)
        if visit is None or not is_redirect(visit.providers.get(name)):
            raise Refused("the link is over, or its service does not take this provider any more")
        if destination is None:
            return self._back(visit, name, went="away")
        answer = answer_of(request, destination)
        if error := answer.get("error"):
            self._saw(visit, Sight.TURNED_AWAY, error)
            log.info("not signed in", provider=name, error=error, correlation_id=visit.correlation_id)
            return self._back(visit, name, went=word_for(error))
        self._saw(visit, Sight.SENT)
        event = self._login(visit, name, state, answer["code"])
        return await self._send(visit, event, visit.address(**{"with": name}, attempt=state.submission_id))

    def _destined(self, visit: Visit, name: str, destination: Destination) -> str:
        state = State(
            code=visit.code,
            submission_id=self._context.new_id(),
            expires_at=self._context.clock.now() + STATE_SECONDS,
        )
        return way_to(destination, state, provider=name, browser=visit.browser, context=self._context)

    def _login(self, visit: Visit, name: str, state: State, code: str) -> LinkLoginSubmitted:
        evidence = evidence_of(state, code, provider=name, browser=visit.browser, context=self._context)
        return LinkLoginSubmitted(
            service=visit.service,
            gateway=self._context.gateway_id,
            correlation_id=visit.correlation_id,
            link_id=visit.link_id,
            submission_id=state.submission_id,
            browser=visit.browser_id,
            provider=name,
            evidence=seal(
                msgspec.json.encode(evidence),
                recipient=self._context.public_keys.auth_worker_box[0].public,
                bound_to=evidence_identity(visit.link_id, state.submission_id),
            ),
        )

    def _back(self, visit: Visit, name: str, **query: str) -> web.StreamResponse:
        return see_other(visit.address(**{"with": name}, **query))

    def _unusable(self) -> web.StreamResponse:
        services = self._context.settings.services
        return page("unusable", next(iter(services.values())), {}, status=400)
