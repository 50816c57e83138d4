"""The way into the household page: the form, what is done with what was typed into it, and what all forms of the page share."""

from urllib.parse import urlencode

import msgspec
import structlog
from aiohttp import web

from gateway import counting
from gateway.bodies import form_of, login_of
from gateway.context import GatewayContext
from gateway.network import network_id
from gateway.pages import browser as browsers
from gateway.pages import household_words, present
from gateway.pages.guests import Guest, guest_of, new_secret, welcome
from gateway.pages.rendering import page, see_other
from shared.boxes import CodeEvidence, LoginEvidence, evidence_identity
from shared.bus.base import BusUnavailable
from shared.domain import visit as visits
from shared.domain.limits import Counted
from shared.domain.visit import Purpose
from shared.messages import Event, HouseholdLoginSubmitted, VisitChanged, VisitEnded
from shared.sealing import seal
from shared.storage.base import StoreUnavailable
from shared.storage.visits import VisitView

RESULT_SECONDS = 3.0
"""How long a form is held for its result before the next page is shown."""
PATIENCE_SECONDS = 60
"""How long a page waits for a row that may still come."""

log = structlog.get_logger(__name__)


class HouseholdEntry:
    """Signing in on our page, to look around or to erase."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Seal what was typed for auth_worker, to open a visit."""
        return await self._sign_in(request, Purpose.HOUSEHOLD)

    async def sign_in_to_erase(self, request: web.Request) -> web.StreamResponse:
        """Seal what was typed for auth_worker, as a proof for erasing."""
        return await self._sign_in(request, Purpose.ERASE)

    async def _sign_in(self, request: web.Request, purpose: Purpose) -> web.StreamResponse:
        guest, fields = await self._submitted(request, purpose)
        provider = fields.get("provider", "")
        if not guest.takes_password(provider):
            raise web.HTTPBadRequest(reason="Nobody signs in with a password there; open the page again")
        evidence = login_of(fields)
        counted = self._counted(guest, provider, evidence)
        try:
            decision = await counting.decision_on(counted, self._context)
        except StoreUnavailable:
            return self._try_again(guest)
        if decision.wait:
            log.info("sign-in limited", wait_s=decision.wait, correlation_id=guest.correlation_id)
            return self._too_many(guest, decision.wait)
        return await self._open(
            guest, provider, evidence, secret=new_secret(self._context.random), counted=counted
        )

    async def _open(
        self,
        guest: Guest,
        provider: str,
        evidence: LoginEvidence | CodeEvidence,
        *,
        secret: str,
        counted: Counted | None = None,
    ) -> web.StreamResponse:
        """Have evidence judged, and let the browser keep the secret of the visit that may open."""
        visit_hash = visits.hash_of(secret, service=guest.service, purpose=guest.purpose)
        event = HouseholdLoginSubmitted(
            service=guest.service,
            gateway=self._context.gateway_id,
            correlation_id=guest.correlation_id,
            visit_hash=visit_hash,
            purpose=guest.purpose,
            provider=provider,
            evidence=seal(
                msgspec.json.encode(evidence),
                recipient=self._context.public_keys.auth_worker_box[0].public,
                bound_to=evidence_identity(visit_hash, guest.purpose),
            ),
            counted=counted,
        )
        # The browser keeps one visit for each purpose, so the one before is over. A provider's answer that comes twice opens the same.
        replaced = [] if guest.visit_hash == visit_hash else self._endings(guest)
        try:
            if replaced:
                await self._context.bus.publish(replaced)
            await self._send(guest, VisitChanged, visit_hash, event)
        except BusUnavailable:
            return self._try_again(guest)
        query = {"with": provider, "attempt": str(self._context.clock.now())}
        return welcome(guest, secret, see_other(guest.address(**query)), secure=self._secure)

    def _departure(self, guest: Guest, provider: str | None) -> str | None:
        """Return the address that sends the browser on to a provider; None if people type a password here."""
        if provider is None or guest.takes_password(provider):
            return None
        token = guest.browser.form_token(self._cookie_keys[0], guest.leaving(provider))
        return f"{guest.path}/with/{provider}?{urlencode({'token': token})}"

    def _counted(self, guest: Guest, provider: str, evidence: LoginEvidence) -> Counted:
        """Return the keys under which a try counts: those of the pages of links, so that the budgets are the same ones."""
        key = self._cookie_keys[0]
        return counting.counted(
            evidence,
            service=guest.service,
            provider=provider,
            network=network_id(guest.network, key),
            place=guest.place,
            key=key,
        )

    async def _view(self, guest: Guest) -> VisitView | None:
        return await self._context.store.visit(guest.visit_hash) if guest.secret else None

    def _endings(self, *guests: Guest) -> list[VisitEnded]:
        """Return what ends the visits that these have."""
        return [
            VisitEnded(
                service=guest.service,
                gateway=self._context.gateway_id,
                correlation_id=guest.correlation_id,
                visit_hash=guest.visit_hash,
            )
            for guest in guests
            if guest.secret
        ]

    async def _send(self, guest: Guest, awaited: type[Event], name: str, *events: Event) -> bool:
        """Publish events of one kind, and tell whether the result that is awaited came in time."""
        with self._context.results.expect(awaited, name) as expected:
            await self._context.bus.publish(events)
            result = await expected.wait(RESULT_SECONDS)
        log.info("form sent", kind=events[0].kind, correlation_id=guest.correlation_id)
        return result is not None

    def _way_in(self, request: web.Request, guest: Guest, view: VisitView | None) -> web.StreamResponse:
        """Show the form, with what went wrong; or wait, if the row of an attempt may still come."""
        if guest.secret and view is None and self._is_recent(request.query.get("attempt", "")):
            return page("waiting", guest.settings, {})
        if view and view.visit.outcome is visits.VisitOutcome.LIMITED and "attempt" in request.query:
            return self._too_many(guest, self._context.settings.limits.longest_delay)
        chosen = present.chosen(guest.providers, request.query.get("with"))
        title = present.title(guest.providers, chosen, guest.settings)
        was_here = bool(guest.secret) and (view is None or view.visit.outcome is visits.VisitOutcome.OPEN)
        values = self._values(guest) | {
            "account": None,
            "notice": household_words.notice("ended" if was_here else request.query.get("said")),
            "provider": chosen,
            "provider_title": title,
            "departure": self._departure(guest, chosen),
            "choices": present.choices(
                guest.providers,
                guest.settings,
                lambda name: self._departure(guest, name) or guest.address(**{"with": name}),
            ),
            "problem": present.way_problem(request.query.get("went", ""), provider=title, is_link=False)
            or (household_words.problem(view.visit.outcome, title) if view else None),
        }
        name = "household_sign_in" if guest.purpose is Purpose.HOUSEHOLD else "household_erase"
        response = page(name, guest.settings, values)
        browsers.remember(response, guest.browser, secure=self._secure)
        return response

    async def _submitted(self, request: web.Request, purpose: Purpose) -> tuple[Guest, dict[str, str]]:
        """Return the guest and the fields of a form that we served to this browser for this visit."""
        guest = guest_of(request, purpose, self._context)
        fields = await form_of(request)
        if not guest.browser.accepts(fields.get("form_token", ""), self._cookie_keys, guest.form):
            raise web.HTTPForbidden(reason="The form is not from this browser; open the page again")
        return guest, fields

    def _values(self, guest: Guest) -> dict[str, object]:
        return {
            "address": guest.address(),
            "home": guest.home,
            "form_token": guest.browser.form_token(self._cookie_keys[0], guest.form),
        }

    def _is_recent(self, at: str) -> bool:
        return at.isdecimal() and len(at) < 12 and self._context.clock.now() - int(at) < PATIENCE_SECONDS

    @property
    def _cookie_keys(self) -> tuple[bytes, ...]:
        return self._context.cookie_keys

    @property
    def _secure(self) -> bool:
        return self._context.settings.secure

    def _too_many(self, guest: Guest, seconds: int) -> web.Response:
        values = {"address": guest.address(), "wait": present.too_many(seconds), "began_in_app": False}
        response = page("slow_down", guest.settings, values, status=429)
        response.headers["Retry-After"] = str(seconds)
        return response

    def _try_again(self, guest: Guest) -> web.Response:
        return page("try_again", guest.settings, {"address": guest.address()}, status=503)
