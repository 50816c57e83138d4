"""The page where a person types the code that Sonos shows on another device.

A right code leads to the page of its link; a wrong one, an expired one and one that no code looks like get the same answer.
Each request is one read at most, and a browser over its budget of guesses does not even reach the bus.
"""

import hmac
import re
from dataclasses import dataclass
from urllib.parse import urlencode

import structlog
from aiohttp import web

from gateway.bodies import form_of
from gateway.context import GatewayContext
from gateway.network import network_of
from gateway.operations.linking import entry_path
from gateway.pages import browser as browsers
from gateway.pages import present
from gateway.pages.browser import Browser
from gateway.pages.rendering import page, see_other
from shared.boxes import page_code_identity
from shared.bus.base import BusUnavailable
from shared.domain import typed_code
from shared.messages import CodeEntered, CodeJudged
from shared.sealing import unseal
from shared.settings import ServiceSettings
from shared.storage.base import StoreUnavailable
from shared.storage.codes import CodeEntry, EntryOutcome, EntryView

RESULT_SECONDS = 3.0
"""How long a form is held for its result before a waiting page is shown."""

_ENTRY = re.compile(r"[a-z2-7]{12}")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request for the entry page of one service, by one browser."""

    service: str
    settings: ServiceSettings
    browser: Browser
    network: str
    """Keyed hash of the address prefix."""

    @property
    def purpose(self) -> str:
        """Return what this browser's forms and its budget are for."""
        return f"enter {self.service}"

    @property
    def browser_id(self) -> str:
        """Return the hash under which this browser's guesses are counted."""
        return self.browser.id_for(self.purpose)

    def address(self, **query: str) -> str:
        """Return the path of this page."""
        return entry_path(self.service) + (f"?{urlencode(query)}" if query else "")


class EntryPages:
    """The form, and what comes of it."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show the form, or how the code that was typed into it was judged."""
        visit = self._visit(request)
        entry_id = request.query.get("entry", "")
        if not _ENTRY.fullmatch(entry_id):
            return self._form(visit, present.wrong_code() if "wrong" in request.query else None)
        try:
            view = await self._context.store.code_entry(entry_id)
        except StoreUnavailable:
            return self._try_again(visit, visit.address(entry=entry_id))
        if view is None or view.entry.outcome is None:
            return page("waiting", visit.settings, {"address": visit.address(entry=entry_id)})
        return self._judged(visit, view)

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """Send what was typed to auth_worker, unless this browser or its network has guessed too often."""
        visit = self._visit(request)
        form = await form_of(request)
        form_token, code = (form.get(name, "") for name in ("form_token", "code"))
        if not visit.browser.accepts(form_token, self._cookie_keys, visit.purpose):
            raise web.HTTPForbidden(reason="The form is not from this browser; open the page again")
        typed = typed_code.normalise(code)
        if typed is None:
            return see_other(visit.address(wrong="1"))
        try:
            wait = await self._seconds_to_wait(visit)
            return _too_many(visit, wait) if wait else await self._send(visit, typed)
        except (StoreUnavailable, BusUnavailable):
            return self._try_again(visit, visit.address())

    async def _seconds_to_wait(self, visit: Visit) -> int:
        guesses = await self._context.store.guesses(browser=visit.browser_id, network=visit.network)
        return typed_code.seconds_to_wait(browser=guesses.browser, network=guesses.network, now=guesses.now)

    async def _send(self, visit: Visit, typed: str) -> web.StreamResponse:
        event = CodeEntered(
            service=visit.service,
            gateway=self._context.gateway_id,
            correlation_id=self._context.new_id(),
            entry_id=self._context.new_id(),
            browser=visit.browser_id,
            network=visit.network,
            typed_ids=tuple(
                typed_code.typed_id(key, service=visit.service, typed=typed)
                for key in self._context.link_code_keys
            ),
        )
        with self._context.results.expect(CodeJudged, event.entry_id) as expected:
            await self._context.bus.publish([event])
            await expected.wait(RESULT_SECONDS)
        log.info("form sent", kind=event.kind, correlation_id=event.correlation_id)
        return see_other(visit.address(entry=event.entry_id))

    def _judged(self, visit: Visit, view: EntryView) -> web.StreamResponse:
        entry = view.entry
        if not _is_of(visit, entry):
            return self._form(visit, None)
        if entry.outcome is EntryOutcome.TOO_MANY:
            return _too_many(visit, typed_code.GUESS_WINDOW)
        if entry.outcome is EntryOutcome.RIGHT and entry.typed_id and view.sealed is not None:
            return see_other(f"/link/{self._opened(view.sealed, entry.typed_id)}")
        return self._form(visit, present.wrong_code())

    def _opened(self, sealed: bytes, typed_id: str) -> str:
        private_keys = [key.secret for key in self._context.keys.box]
        return unseal(sealed, private_keys=private_keys, bound_to=page_code_identity(typed_id)).decode()

    def _visit(self, request: web.Request) -> Visit:
        service = request.match_info.get("service", "default")
        settings = self._context.settings.services.get(service)
        if settings is None or not settings.typed_codes:
            raise web.HTTPNotFound
        network = network_of(
            peer=request.remote,
            forwarded_for=request.headers.getall("X-Forwarded-For", ()),
            trusted_proxies=self._context.settings.trusted_proxies,
        )
        return Visit(
            service=service,
            settings=settings,
            browser=browsers.recognise(request, self._context.random, secure=self._context.settings.secure),
            # Keyed, since every address prefix there is could be hashed and compared in no time.
            network=hmac.digest(self._cookie_keys[0], f"network\0{network}".encode(), "sha256").hex()[:32],
        )

    @property
    def _cookie_keys(self) -> tuple[bytes, ...]:
        return tuple(key.secret for key in self._context.keys.cookie)

    def _form(self, visit: Visit, problem: str | None) -> web.StreamResponse:
        values = {
            "address": visit.address(),
            "form_token": visit.browser.form_token(self._cookie_keys[0], visit.purpose),
            "problem": problem,
        }
        response = page("enter", visit.settings, values)
        browsers.remember(response, visit.browser, secure=self._context.settings.secure)
        return response

    def _try_again(self, visit: Visit, address: str) -> web.StreamResponse:
        return page("try_again", visit.settings, {"address": address}, status=503)


def _is_of(visit: Visit, entry: CodeEntry) -> bool:
    """Tell whether an entry was made by this browser for this service; its address alone shall open nothing."""
    same = hmac.compare_digest(entry.browser, visit.browser_id)
    return same and entry.service == visit.service and not visit.browser.is_new


def _too_many(visit: Visit, seconds: int) -> web.StreamResponse:
    wait = present.too_many(seconds)
    response = page("too_many", visit.settings, {"address": visit.address(), "wait": wait}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response
