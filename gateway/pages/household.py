"""The pages on which a person looks after what is linked to their account.

A visit begins with signing in, as a link does, and is known by a secret of its own in a cookie: a new one for each attempt, so that
nobody can have planted it. What a form asks for becomes an event; what is shown is read from the rows.
"""

import msgspec
import structlog
from aiohttp import web

from gateway.context import GatewayContext
from gateway.pages import browser as browsers
from gateway.pages import household_words, present
from gateway.pages.guests import Entered, Guest, entered, guest_of, new_secret, see_off, welcome
from gateway.pages.household_data import everything
from gateway.pages.rendering import page, see_other
from gateway.results import family_key, visit_key
from shared.bus.base import BusUnavailable
from shared.domain import visit as visits
from shared.domain.revocation import Scope
from shared.domain.visit import Purpose
from shared.messages import (
    EraseRequested,
    Event,
    HouseholdLoginSubmitted,
    LoginEvidence,
    TokenRevokeRequested,
    VisitEnded,
    VisitUsed,
    evidence_identity,
)
from shared.sealing import seal
from shared.storage.base import StoreUnavailable
from shared.storage.visits import VisitView

RESULT_SECONDS = 3.0
"""How long a form is held for its result before the next page is shown."""
PATIENCE_SECONDS = 60
"""How long a page waits for a row that may still come."""
LONGEST_FIELD = 1024
MOST_SYSTEMS = 100
MOST_EVENTS = 20
ALL = "all"
REASON = "the person, on the household page"

log = structlog.get_logger(__name__)


class HouseholdPages:
    """What a person may see and do."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def front(self, _: web.Request) -> web.StreamResponse:
        """Send whoever names no service to the first one."""
        return see_other(f"/household/{next(iter(self._context.settings.services))}")

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show what is linked, or the way in."""
        guest = guest_of(request, Purpose.HOUSEHOLD, self._context)
        try:
            view = await self._view(guest)
            visiting = entered(view)
            if visiting is None:
                return self._way_in(request, guest, view)
            self._tell_use(guest, visiting)
            account_id = visiting.account.account_id
            systems = await self._context.store.systems(account_id, limit=MOST_SYSTEMS)
            events = await self._context.store.events(account_id, limit=MOST_EVENTS)
        except StoreUnavailable:
            return self._try_again(guest)
        values = self._values(guest) | {
            "account": visiting.account,
            "notice": household_words.notice(request.query.get("said")),
            "systems": household_words.systems(systems, visiting.now),
            "events": household_words.happenings(events, visiting.now),
        }
        return page("household", guest.settings, values)

    async def show_erase(self, request: web.Request) -> web.StreamResponse:
        """Show what erasing means, ask for the password once more, or tell that it is done."""
        guest = guest_of(request, Purpose.ERASE, self._context)
        try:
            view = await self._view(guest)
        except StoreUnavailable:
            return self._try_again(guest)
        if guest.secret and "erased" in request.query:
            if view is None:
                return see_off(guest, page("household_erased", guest.settings, {}), secure=self._secure)
            if self._is_recent(request.query["erased"]):
                return page("waiting", guest.settings, {})
        visiting = entered(view)
        if visiting is None:
            return self._way_in(request, guest, view)
        return page("household_erase", guest.settings, self._values(guest) | {"account": visiting.account})

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Seal what was typed for auth_worker, to open a visit."""
        return await self._sign_in(request, Purpose.HOUSEHOLD)

    async def sign_in_to_erase(self, request: web.Request) -> web.StreamResponse:
        """Seal what was typed for auth_worker, as a proof for erasing."""
        return await self._sign_in(request, Purpose.ERASE)

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """End the visit; the browser forgets it whatever happens."""
        guest, _ = await self._submitted(request, Purpose.HOUSEHOLD)
        event = VisitEnded(
            service=guest.service,
            gateway=self._context.gateway_id,
            correlation_id=guest.correlation_id,
            visit_hash=guest.visit_hash,
        )
        try:
            await self._send(guest, event, visit_key(guest.visit_hash))
        except BusUnavailable:
            return see_off(guest, self._try_again(guest), secure=self._secure)
        return see_off(guest, see_other(guest.address(said="signed_out")), secure=self._secure)

    async def unlink(self, request: web.Request) -> web.StreamResponse:
        """Have one system, or all, unlinked: those that this account has."""
        guest, fields = await self._submitted(request, Purpose.HOUSEHOLD)
        try:
            visiting = entered(await self._view(guest))
            if visiting is None:
                return see_other(guest.address(said="ended"))
            account_id = visiting.account.account_id
            systems = await self._context.store.systems(account_id, limit=MOST_SYSTEMS)
            grant_ids = sorted(system.grant.grant_id for system in systems)
            wanted = fields.get("grant", "")
            if wanted != ALL:
                grant_ids = [grant_id for grant_id in grant_ids if grant_id == wanted]
            if not grant_ids:
                return see_other(guest.address(said="unlinked"))
            event = TokenRevokeRequested(
                service=guest.service,
                gateway=self._context.gateway_id,
                correlation_id=guest.correlation_id,
                scope=Scope.ACCOUNT if wanted == ALL else Scope.GRANT,
                value=account_id if wanted == ALL else wanted,
                reason=REASON,
                # What is linked while this is under way was not meant.
                started_by=visiting.now,
            )
            # They end in the order of their ids: when the last has, all have.
            ended = await self._send(guest, event, family_key(grant_ids[-1]))
        except (StoreUnavailable, BusUnavailable):
            return self._try_again(guest)
        return see_other(guest.address(said="unlinked" if ended else "under_way"))

    async def erase(self, request: web.Request) -> web.StreamResponse:
        """Have the account erased, if its owner has just proved to be there."""
        guest, _ = await self._submitted(request, Purpose.ERASE)
        event = EraseRequested(
            service=guest.service,
            gateway=self._context.gateway_id,
            correlation_id=guest.correlation_id,
            visit_hash=guest.visit_hash,
        )
        try:
            if entered(await self._view(guest)) is None:
                return see_other(guest.address())
            await self._send(guest, event, visit_key(guest.visit_hash))
        except (StoreUnavailable, BusUnavailable):
            return self._try_again(guest)
        return see_other(guest.address(erased=str(self._context.clock.now())))

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Hand over all that is known about the account."""
        guest = guest_of(request, Purpose.HOUSEHOLD, self._context)
        try:
            visiting = entered(await self._view(guest))
            if visiting is None:
                return see_other(guest.address(said="ended"))
            content = await everything(visiting.account, self._context.store)
        except StoreUnavailable:
            return self._try_again(guest)
        return web.json_response(
            content,
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{guest.service}-account.json"',
            },
        )

    async def _sign_in(self, request: web.Request, purpose: Purpose) -> web.StreamResponse:
        guest, fields = await self._submitted(request, purpose)
        provider = fields.get("provider", "")
        if provider not in guest.providers:
            raise web.HTTPBadRequest(reason="Nobody signs in with a password there; open the page again")
        secret = new_secret(self._context.random)
        visit_hash = visits.hash_of(secret, service=guest.service, purpose=purpose)
        evidence = LoginEvidence(
            name=fields.get("name", "")[:LONGEST_FIELD], password=fields.get("password", "")[:LONGEST_FIELD]
        )
        event = HouseholdLoginSubmitted(
            service=guest.service,
            gateway=self._context.gateway_id,
            correlation_id=guest.correlation_id,
            visit_hash=visit_hash,
            purpose=purpose,
            provider=provider,
            evidence=seal(
                msgspec.json.encode(evidence),
                recipient=self._context.public_keys.auth_worker_box[0].public,
                bound_to=evidence_identity(visit_hash, purpose),
            ),
        )
        try:
            await self._send(guest, event, visit_key(visit_hash))
        except BusUnavailable:
            return self._try_again(guest)
        query = {"with": provider, "attempt": str(self._context.clock.now())}
        return welcome(guest, secret, see_other(guest.address(**query)), secure=self._secure)

    async def _view(self, guest: Guest) -> VisitView | None:
        return await self._context.store.visit(guest.visit_hash) if guest.secret else None

    async def _send(self, guest: Guest, event: Event, key: object) -> bool:
        """Publish an event, and tell whether its result came in time."""
        with self._context.results.expect(key) as expected:
            await self._context.bus.publish([event])
            result = await expected.wait(RESULT_SECONDS)
        log.info("form sent", kind=event.kind, correlation_id=guest.correlation_id)
        return result is not None

    def _way_in(self, request: web.Request, guest: Guest, view: VisitView | None) -> web.StreamResponse:
        """Show the form, with what went wrong; or wait, if the row of an attempt may still come."""
        if guest.secret and view is None and self._is_recent(request.query.get("attempt", "")):
            return page("waiting", guest.settings, {})
        chosen = present.chosen(guest.providers, request.query.get("with"))
        title = present.title(guest.providers, chosen, guest.settings)
        was_here = bool(guest.secret) and (view is None or view.visit.outcome is visits.VisitOutcome.OPEN)
        values = self._values(guest) | {
            "account": None,
            "notice": household_words.notice("ended" if was_here else request.query.get("said")),
            "provider": chosen,
            "choices": present.choices(
                guest.providers, guest.settings, lambda name: guest.address(**{"with": name})
            ),
            "problem": household_words.problem(view.visit.outcome, title) if view else None,
        }
        name = "household_sign_in" if guest.purpose is Purpose.HOUSEHOLD else "household_erase"
        response = page(name, guest.settings, values)
        browsers.remember(response, guest.browser, secure=self._secure)
        return response

    def _tell_use(self, guest: Guest, visiting: Entered) -> None:
        if visits.is_worth_telling(visiting.visit, now=visiting.now):
            used = VisitUsed(
                service=guest.service, correlation_id=guest.correlation_id, visit_hash=guest.visit_hash
            )
            sight = ("visit", guest.visit_hash, visiting.visit.used_at)
            self._context.sightings.tell(used, sight, self._context.bus)

    async def _submitted(self, request: web.Request, purpose: Purpose) -> tuple[Guest, dict[str, str]]:
        """Return the guest and the fields of a form that we served to this browser for this visit."""
        guest = guest_of(request, purpose, self._context)
        fields = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
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
        return tuple(key.secret for key in self._context.keys.cookie)

    @property
    def _secure(self) -> bool:
        return self._context.settings.secure

    def _try_again(self, guest: Guest) -> web.Response:
        return page("try_again", guest.settings, {"address": guest.address()}, status=503)
