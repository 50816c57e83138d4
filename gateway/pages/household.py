"""The pages on which a person looks after what is linked to their account.

A visit begins with signing in, as a link does, and is known by a secret of its own in a cookie: a new one for each attempt, so that
nobody can have planted it. What a form asks for becomes an event; what is shown is read from the rows.
"""

from aiohttp import web

from gateway.pages import browser as browsers
from gateway.pages import household_words
from gateway.pages.guests import Entered, Guest, entered, guest_of, see_off
from gateway.pages.household_data import everything
from gateway.pages.household_entry import HouseholdEntry
from gateway.pages.rendering import page, see_other
from shared.bus.base import BusUnavailable
from shared.domain import visit as visits
from shared.domain.revocation import Scope
from shared.domain.visit import Purpose
from shared.messages import (
    EraseRequested,
    FamilyEnded,
    TokenRevokeRequested,
    VisitChanged,
    VisitUsed,
)
from shared.storage.base import StoreUnavailable

MOST_SYSTEMS = 100
MOST_EVENTS = 20
ALL = "all"
REASON = "the person, on the household page"


class HouseholdPages(HouseholdEntry):
    """What a person may see and do."""

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
        response = page("household", guest.settings, values)
        settings = self._context.settings
        # Who was signed in to here need not wait one day because others guess.
        browsers.remember(response, guest.browser, secure=settings.secure, seconds=settings.limits.known)
        return response

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
        values = self._values(guest) | {
            "account": visiting.account,
            # The button is that of the other page, and so is what it is made out to.
            "sign_out_token": self._values(guest_of(request, Purpose.HOUSEHOLD, self._context))["form_token"],
        }
        return page("household_erase", guest.settings, values)

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """End the visit, and a proof for erasing; the browser forgets both whatever happens."""
        guest, _ = await self._submitted(request, Purpose.HOUSEHOLD)
        endings = self._endings(guest, guest_of(request, Purpose.ERASE, self._context))
        try:
            if endings:
                await self._send(guest, VisitChanged, endings[0].visit_hash, *endings)
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
            ended = await self._send(guest, FamilyEnded, grant_ids[-1], event)
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
            await self._send(guest, VisitChanged, guest.visit_hash, event)
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

    def _tell_use(self, guest: Guest, visiting: Entered) -> None:
        if visits.is_worth_telling(visiting.visit, now=visiting.now):
            used = VisitUsed(
                service=guest.service, correlation_id=guest.correlation_id, visit_hash=guest.visit_hash
            )
            sight = ("visit", guest.visit_hash, visiting.visit.used_at)
            self._context.sightings.tell(used, sight, self._context.bus)
