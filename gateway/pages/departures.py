"""The two requests of a browser that signs in elsewhere: it leaves for the provider, and it comes back with a code.

The gateway itself speaks to no provider. What a browser brings back is sealed for auth_worker, who does.
"""

import re

import msgspec
import structlog
from aiohttp import web

from gateway.context import GatewayContext
from gateway.pages import browser as browsers
from gateway.pages.destinations import Destination, Destinations, is_redirect
from gateway.pages.rendering import page, see_other
from gateway.pages.round_trip import (
    STATE_SECONDS,
    State,
    challenge_of,
    nonce_of,
    open_state,
    seal_state,
    verifier_of,
)
from gateway.pages.views import LinkPages, Visit, leaving
from shared.evidence import CodeEvidence
from shared.messages import LinkLoginSubmitted, evidence_identity
from shared.sealing import seal
from shared.storage.base import StoreUnavailable

LONGEST_CODE = 4096
_ERROR = re.compile(r"[a-z_]{1,64}")

log = structlog.get_logger(__name__)


class Refused(Exception):
    """A browser came back with something that cannot be used; the message is for the log."""


class ProviderPages(LinkPages):
    """Sends browsers to identity providers, and takes in what they bring back."""

    def __init__(self, context: GatewayContext) -> None:
        super().__init__(context)
        self._destinations = Destinations(context)

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
            log.warning("provider not known to gateways", provider=name, correlation_id=visit.correlation_id)
            return self._back(visit, name, went="away")
        return see_other(self._destined(visit, name, destination))

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """Take in what a browser brings back from a provider."""
        name = request.match_info["provider"]
        try:
            visit, state = self._returned(request, name)
            destination = await self._destinations.find(name)
            if destination is None:
                return self._back(visit, name, went="away")
            answer = _answer(request, destination)
        except Refused as refused:
            log.warning("sign-in refused", provider=name, reason=str(refused))
            return self._unusable()
        except StoreUnavailable:
            # The browser still has its code, and brings it again.
            services = self._context.settings.services
            return page(
                "try_again", next(iter(services.values())), {"address": str(request.rel_url)}, status=503
            )
        if error := answer.get("error"):
            log.info("not signed in", provider=name, error=error, correlation_id=visit.correlation_id)
            return self._back(visit, name, went="denied" if error == "access_denied" else "wrong")
        event = self._login(visit, name, state, answer["code"])
        return await self._send(visit, event, visit.address(**{"with": name}, attempt=state.submission_id))

    def _destined(self, visit: Visit, name: str, destination: Destination) -> str:
        submission_id = self._context.new_id()
        state = State(
            code=visit.code,
            submission_id=submission_id,
            expires_at=self._context.clock.now() + STATE_SECONDS,
        )
        openid = {"nonce": nonce_of(visit.browser, submission_id)} if destination.is_openid else {}
        return destination.address(
            redirect_uri=self._context.settings.redirect_uri(name),
            state=seal_state(
                state,
                key=self._cookie_keys[0],
                browser=visit.browser,
                provider=name,
                random=self._context.random,
            ),
            code_challenge=challenge_of(verifier_of(visit.browser, submission_id)),
            code_challenge_method="S256",
            **openid,
        )

    def _returned(self, request: web.Request, name: str) -> tuple[Visit, State]:
        """Return whose round trip this is the end of.

        Raises:
            Refused: nobody's of this browser and this provider.
        """
        browser = browsers.recognise(request, self._context.random, secure=self._context.settings.secure)
        state = open_state(
            _only(request, "state") or "",
            keys=self._cookie_keys,
            browser=browser,
            provider=name,
            now=self._context.clock.now(),
        )
        if state is None:
            raise Refused("the state is not of this browser and this provider, or too old")
        visit = self._visit(request, state.code)
        if visit is None or not is_redirect(visit.providers.get(name)):
            raise Refused("the link is over, or its service does not take this provider any more")
        return visit, state

    def _login(self, visit: Visit, name: str, state: State, code: str) -> LinkLoginSubmitted:
        evidence = CodeEvidence(
            code=code,
            verifier=verifier_of(visit.browser, state.submission_id),
            nonce=nonce_of(visit.browser, state.submission_id),
            redirect_uri=self._context.settings.redirect_uri(name),
        )
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


def _answer(request: web.Request, destination: Destination) -> dict[str, str]:
    """Return what the provider says: a `code`, or an `error`.

    Raises:
        Refused: it was another provider, or nothing that can be read.
    """
    # Before anything else, for errors too: another provider's answer says nothing here.
    if not destination.is_from(_only(request, "iss")):
        raise Refused("the answer is from another provider, or does not say from which (iss)")
    error, code = _only(request, "error"), _only(request, "code")
    if error is not None:
        return {"error": error if _ERROR.fullmatch(error) else "unreadable"}
    if not code or len(code) > LONGEST_CODE:
        raise Refused("there is no code in the answer")
    return {"code": code}


def _only(request: web.Request, name: str) -> str | None:
    """Return a parameter that may come once: of two, the provider and we could each mean another.

    Raises:
        Refused: it came twice.
    """
    values = request.query.getall(name, ())
    if len(values) > 1:
        raise Refused(f"{name} came twice")
    return values[0] if values else None
