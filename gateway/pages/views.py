"""The pages of one link: what is shown for each state, and what each form does.

Every form publishes an event, waits a moment for its result, and sends the browser to the same address again, where the
row decides what is shown. A result that is late is waited for by a page that reloads itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
import structlog
from aiohttp import web

from gateway import counting
from gateway.bodies import form_of, login_of
from gateway.context import GatewayContext
from gateway.network import network_id, network_of
from gateway.pages import browser as browsers
from gateway.pages import present
from gateway.pages.browser import Browser
from gateway.pages.rendering import page, see_other
from shared.boxes import evidence_identity
from shared.bus.base import BusUnavailable
from shared.domain import link_code
from shared.domain.link_code import VerifiedCode
from shared.domain.sight import Sight
from shared.messages import Event, LinkApproved, LinkChanged, LinkDeclineRequested, LinkLoginSubmitted
from shared.sealing import seal
from shared.settings import ProviderSettings, ServiceSettings
from shared.storage.base import StoreUnavailable
from shared.storage.records import LinkView

RESULT_SECONDS = 3.0
"""How long a form is held for its result before a waiting page is shown."""

_SUBMISSION = re.compile(r"[a-z2-7]{12}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request for one link, by one browser."""

    code: str
    verified: VerifiedCode
    service: str
    settings: ServiceSettings
    providers: Mapping[str, ProviderSettings]
    """Where the people of the service sign in, by name, in the order in which they are offered."""
    browser: Browser
    network: str
    """The address prefix it comes from."""
    correlation_id: str
    went: str
    """What became of a way to a provider, in a word of ours; see `present.way_problem`."""

    @property
    def link_id(self) -> str:
        """Return the id under which the link is stored."""
        return self.verified.link_id

    @property
    def browser_id(self) -> str:
        """Return the id under which the link remembers this browser."""
        return self.browser.id_for(self.link_id)

    @property
    def place(self) -> str:
        """Return what stands for this browser where an account is signed in to from it again."""
        return self.browser.place_for(self.service)

    def takes_password(self, provider: str) -> bool:
        """Tell whether people sign in there with a name and a password on our page."""
        return provider in self.providers and self.providers[provider].takes_password

    def address(self, **query: str) -> str:
        """Return the path of this link's page."""
        return f"/link/{self.code}" + (f"?{urlencode(query)}" if query else "")


class LinkPages:
    """The four requests a person's browser makes."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show whatever fits the link's state."""
        visit = self._visit(request)
        if visit is None:
            return self._nothing_here()
        self._saw(visit, Sight.PAGE)
        submission = _submission(request)
        try:
            view = await self._context.store.link(visit.link_id)
        except StoreUnavailable:
            return self._try_again(visit)
        name = present.page_of(
            view,
            browser=visit.browser_id,
            submission=submission,
            approved="approved" in request.query,
        )
        if name == "sign_in" and view and present.is_limited(view, submission):
            return self._too_many(visit, self._context.settings.limits.longest_delay)
        chosen = present.chosen(visit.providers, request.query.get("with"))
        response = page(name, visit.settings, self._values(visit, view, submission, chosen))
        settings = self._context.settings
        known = settings.limits.known if name == "confirm" else None
        browsers.remember(response, visit.browser, secure=settings.secure, seconds=known)
        return response

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Seal what was typed for auth_worker, and send it."""
        visit, form = await self._submitted(request)
        if visit is None:
            return self._nothing_here()
        provider = form.get("provider", "")
        if not visit.takes_password(provider):
            raise web.HTTPBadRequest(reason="Nobody signs in with a password there; open the link again")
        submission_id = self._context.new_id()
        evidence = login_of(form)
        counted = counting.counted(
            evidence,
            service=visit.service,
            provider=provider,
            network=network_id(visit.network, self._cookie_keys[0]),
            place=visit.place,
            key=self._cookie_keys[0],
        )
        try:
            decision = await counting.decision_on(counted, self._context)
        except StoreUnavailable:
            return self._try_again(visit)
        if decision.wait:
            self._saw(visit, Sight.LIMITED)
            log.info("sign-in limited", wait_s=decision.wait, correlation_id=visit.correlation_id)
            return self._too_many(visit, decision.wait)
        event = LinkLoginSubmitted(
            service=visit.service,
            gateway=self._context.gateway_id,
            correlation_id=visit.correlation_id,
            link_id=visit.link_id,
            submission_id=submission_id,
            browser=visit.browser_id,
            provider=provider,
            evidence=seal(
                msgspec.json.encode(evidence),
                recipient=self._context.public_keys.auth_worker_box[0].public,
                bound_to=evidence_identity(visit.link_id, submission_id),
            ),
            counted=counted,
        )
        self._saw(visit, Sight.SENT)
        return await self._send(visit, event, visit.address(**{"with": provider}, attempt=submission_id))

    async def approve(self, request: web.Request) -> web.StreamResponse:
        """Tell token_worker that the person allowed the link."""
        visit, _ = await self._submitted(request)
        if visit is None:
            return self._nothing_here()
        self._saw(visit, Sight.ALLOWED)
        event = LinkApproved(
            service=visit.service,
            gateway=self._context.gateway_id,
            correlation_id=visit.correlation_id,
            link_id=visit.link_id,
            browser=visit.browser_id,
            network=network_of(
                peer=request.remote,
                forwarded_for=request.headers.getall("X-Forwarded-For", ()),
                trusted_proxies=self._context.settings.trusted_proxies,
            ),
        )
        return await self._send(visit, event, visit.address(approved="1"))

    async def decline(self, request: web.Request) -> web.StreamResponse:
        """Tell auth_worker that the person said no."""
        visit, _ = await self._submitted(request)
        if visit is None:
            return self._nothing_here()
        event = LinkDeclineRequested(
            service=visit.service,
            gateway=self._context.gateway_id,
            correlation_id=visit.correlation_id,
            link_id=visit.link_id,
            browser=visit.browser_id,
        )
        return await self._send(visit, event, visit.address())

    def _saw(self, visit: Visit, sight: Sight, note: str = "") -> None:
        self._context.tally.saw(visit.verified, sight, self._context.clock.now(), note)

    async def _send(self, visit: Visit, event: Event, location: str) -> web.StreamResponse:
        try:
            with self._context.results.expect(LinkChanged, visit.link_id) as expected:
                await self._context.bus.publish([event])
                await expected.wait(RESULT_SECONDS)
        except BusUnavailable:
            return self._try_again(visit)
        log.info("form sent", kind=event.kind, correlation_id=visit.correlation_id)
        return see_other(location)

    async def _submitted(self, request: web.Request) -> tuple[Visit | None, dict[str, str]]:
        """Return the visit and the fields of a form that we served to this browser for this link."""
        visit = self._visit(request)
        if visit is None:
            return None, {}
        fields = await form_of(request)
        if not visit.browser.accepts(fields.get("form_token", ""), self._cookie_keys, visit.link_id):
            raise web.HTTPForbidden(reason="The form is not from this browser; open the link again")
        return visit, fields

    def _visit(self, request: web.Request, code: str | None = None) -> Visit | None:
        """Return the visit of a request whose link code stands in its path, or was brought back from a provider."""
        code = code or request.match_info["code"]
        for name, settings in self._context.settings.services.items():
            verified = link_code.verify(
                code, keys=self._context.link_code_keys, service=name, now=self._context.clock.now()
            )
            if verified:
                return Visit(
                    code=code,
                    verified=verified,
                    service=name,
                    settings=settings,
                    providers=self._context.settings.providers_of(name),
                    browser=browsers.recognise(
                        request, self._context.random, secure=self._context.settings.secure
                    ),
                    network=network_of(
                        peer=request.remote,
                        forwarded_for=request.headers.getall("X-Forwarded-For", ()),
                        trusted_proxies=self._context.settings.trusted_proxies,
                    ),
                    correlation_id=self._context.new_id(),
                    went=request.query.get("went", ""),
                )
        return None

    def _values(
        self, visit: Visit, view: LinkView | None, submission: str | None, chosen: str | None
    ) -> dict[str, object]:
        if view is None:
            return {"address": visit.address()}
        limit = self._context.settings.link.max_password_failures
        title = present.title(visit.providers, chosen, visit.settings)
        return {
            "address": visit.address(),
            "form_token": visit.browser.form_token(self._cookie_keys[0], visit.link_id),
            "asker": present.asker(
                view.link, view.now, networks=[network_id(visit.network, key) for key in self._cookie_keys]
            ),
            "account": view.account,
            "provider": chosen,
            "provider_title": title,
            "departure": self._departure(visit, chosen),
            "choices": present.choices(
                visit.providers,
                visit.settings,
                lambda name: self._departure(visit, name) or visit.address(**{"with": name}),
            ),
            "problem": present.way_problem(visit.went, provider=title)
            or present.sign_in_problem(view, submission=submission, limit=limit, provider=title),
            "way_back": present.way_back(view.link.callback_path),
        }

    def _departure(self, visit: Visit, provider: str | None) -> str | None:
        """Return the address that sends the browser on to a provider; None if people type a password here."""
        if provider is None or visit.takes_password(provider):
            return None
        token = visit.browser.form_token(self._cookie_keys[0], leaving(visit.link_id, provider))
        return f"{visit.address()}/with/{provider}?{urlencode({'token': token})}"

    @property
    def _cookie_keys(self) -> tuple[bytes, ...]:
        return self._context.cookie_keys

    def _nothing_here(self) -> web.StreamResponse:
        services = self._context.settings.services
        return page("expired", next(iter(services.values())), {}, status=404)

    def _too_many(self, visit: Visit, seconds: int) -> web.StreamResponse:
        values = {"address": visit.address(), "wait": present.too_many(seconds), "began_in_app": True}
        response = page("slow_down", visit.settings, values, status=429)
        response.headers["Retry-After"] = str(seconds)
        return response

    def _try_again(self, visit: Visit) -> web.StreamResponse:
        return page("try_again", visit.settings, {"address": visit.address()}, status=503)


def leaving(link_id: str, provider: str) -> str:
    """Return what the token in the way to a provider is made out to."""
    return f"{link_id} {provider}"


def _submission(request: web.Request) -> str | None:
    attempt = request.query.get("attempt", "")
    return attempt if _SUBMISSION.fullmatch(attempt) else None
