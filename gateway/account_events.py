"""What others tell about accounts that have ended: providers by back-channel logout, the service by a signed request.

Sources: OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8. The gateway believes no logout token: it seals it for
auth_worker, which asks the provider's keys. Signed requests it checks itself, since a forged one must cost nothing.
"""

import hashlib
import re
from typing import Annotated

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta

from gateway.bodies import BadForm, body_of, form_of
from gateway.context import GatewayContext
from shared.boxes import EndEvidence, end_identity
from shared.bus.base import BusUnavailable
from shared.domain.account import VOUCHED
from shared.domain.signed_request import NONCE, SIGNATURE, TIMESTAMP, is_signed
from shared.messages import AccountEndJudged, AccountEndSubmitted, EndOutcome
from shared.sealing import seal

RESULT_SECONDS = 10.0
"""How long a request is held: auth_worker may have to ask for the provider's keys."""
RETRY_SECONDS = 5
LONGEST_LOGOUT_TOKEN = 16 * 1024

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_NEVER_STORED = {"Cache-Control": "no-store"}

log = structlog.get_logger(__name__)


class Disabled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Says whose account was disabled, or is no more."""

    subject: Annotated[str, Meta(min_length=1, max_length=255)]
    provider: Annotated[str, Meta(min_length=1, max_length=64)] = VOUCHED


def add_to(app: web.Application, context: GatewayContext) -> None:
    """Add the addresses that the settings ask for, and no others."""
    settings, events = context.settings.account_events, AccountEvents(context)
    if settings.backchannel_logout:
        app.add_routes([web.post("/backchannel/{provider}", events.logged_out)])
    if settings.secrets:
        app.add_routes([web.post("/events/account.disabled", events.disabled)])


class AccountEvents:
    """The addresses at which accounts are told to have ended."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context
        self._secrets = tuple(
            secret.get_secret_value().encode() for secret in context.settings.account_events.secrets
        )

    async def logged_out(self, request: web.Request) -> web.StreamResponse:
        """Take a provider's logout token: 200 if it ended something or there was nothing to end, 400 if it is not to be believed."""
        provider = request.match_info["provider"]
        if provider not in self._context.settings.account_events.backchannel_logout:
            raise web.HTTPNotFound
        token = await _logout_token(request)
        if token is None:
            return _problem(400, "invalid_request", "send one `logout_token`, as a form")
        outcome = await self._judged(EndEvidence(provider=provider, logout_token=token))
        if outcome is EndOutcome.REFUSED:
            return _problem(
                400, "invalid_request", "the logout token is not to be believed, or names no `sub`"
            )
        if outcome is EndOutcome.REPEATED:
            return _problem(400, "invalid_request", "the logout token came before")
        return _unavailable() if outcome is None else web.Response(headers=_NEVER_STORED)

    async def disabled(self, request: web.Request) -> web.StreamResponse:
        """Take the service's word: 200 also where there was nothing to end, so that nobody learns who has an account."""
        body = await body_of(request)
        event_id = self._event_id(request, body)
        if event_id is None:
            return _problem(
                401, "invalid_signature", "see docs/account-lifecycle.md for what has to be signed"
            )
        try:
            told = msgspec.json.decode(body, type=Disabled)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _problem(400, "invalid_request", str(error))
        if told.provider not in {VOUCHED, *self._context.settings.providers}:
            return _problem(400, "invalid_request", "there is no such provider")
        outcome = await self._judged(
            EndEvidence(provider=told.provider, subject=told.subject, event_id=event_id)
        )
        if outcome is None:
            return _unavailable()
        return web.json_response({"repeated": outcome is EndOutcome.REPEATED}, headers=_NEVER_STORED)

    def _event_id(self, request: web.Request, body: bytes) -> str | None:
        """Return what makes a request differ from every other, or None if nobody we know has signed it just now."""
        timestamp, nonce, signature = (_only(request, name) for name in (TIMESTAMP, NONCE, SIGNATURE))
        if not _TIMESTAMP.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
            return None
        signed = is_signed(signature, self._secrets, timestamp=timestamp, nonce=nonce, body=body)
        off_by = abs(self._context.clock.now() - int(timestamp))
        if not signed or off_by > self._context.settings.account_events.tolerance:
            log.warning("account event refused", signed=signed, off_by_s=off_by)
            return None
        return hashlib.sha256(f"signed\0{timestamp}\0{nonce}".encode()).hexdigest()

    async def _judged(self, evidence: EndEvidence) -> EndOutcome | None:
        """Return what auth_worker makes of it, or None if that is not known in time."""
        request_id = self._context.new_id()
        event = AccountEndSubmitted(
            service=next(iter(self._context.settings.services)),
            gateway=self._context.gateway_id,
            correlation_id=self._context.new_id(),
            request_id=request_id,
            evidence=seal(
                msgspec.json.encode(evidence),
                recipient=self._context.public_keys.auth_worker_box[0].public,
                bound_to=end_identity(request_id),
            ),
        )
        try:
            with self._context.results.expect(AccountEndJudged, request_id) as expected:
                await self._context.bus.publish([event])
                judged = await expected.wait(RESULT_SECONDS)
        except BusUnavailable:
            return None
        outcome = judged.outcome if isinstance(judged, AccountEndJudged) else None
        log.info("account event", outcome=outcome, correlation_id=event.correlation_id)
        return outcome


def _only(request: web.Request, name: str) -> str:
    values = list(request.headers.getall(name, ()))
    return values[0] if len(values) == 1 else ""


async def _logout_token(request: web.Request) -> str | None:
    try:
        token = (await form_of(request)).get("logout_token", "")
    except BadForm:
        return None
    return token if 0 < len(token) <= LONGEST_LOGOUT_TOKEN else None


def _problem(status: int, error: str, description: str) -> web.Response:
    return web.json_response(
        {"error": error, "error_description": description}, status=status, headers=_NEVER_STORED
    )


def _unavailable() -> web.Response:
    return web.Response(status=503, headers={"Retry-After": str(RETRY_SECONDS), **_NEVER_STORED})
