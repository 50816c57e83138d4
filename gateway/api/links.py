"""What the service's own app asks about one link: what to show, and that the person allows or declines it.

Whoever holds the link code may see what the link's page shows, and may say no, as on that page. Allowing takes a person's
access token, which travels sealed and is judged by auth_worker, or the word of the service's own back end.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog
from aiohttp import web

from gateway.api.answering import Refused, body_of
from gateway.api.bearers import bearer_of, permit, services_of_key
from gateway.api.document import ApproveOrder, Decided, LinkShown
from gateway.context import GatewayContext
from gateway.operations.linking import known_code
from gateway.pages import present
from shared.boxes import AppEvidence, Vouched, evidence_identity
from shared.domain.link import APP, LinkState
from shared.domain.link_code import VerifiedCode
from shared.domain.sight import Sight
from shared.messages import Event, LinkApprovalSubmitted, LinkChanged, LinkDeclineRequested
from shared.sealing import seal
from shared.storage.records import AttemptOutcome, LinkView

APPROVED_SECONDS = 12.0
"""How long an approval is held: auth_worker may have to ask the issuer of the token, who may take eight."""
DECLINED_SECONDS = 3.0

log = structlog.get_logger(__name__)

_NOT_IN_TIME = "The answer is not there yet. Nothing is lost: ask again."
_OVER = {
    LinkState.DECLINED: "The link was declined. Start again in the Sonos app.",
    LinkState.FAILED: "The link was ended. Start again in the Sonos app.",
    LinkState.EXPIRED: "The link's time is over. Start again in the Sonos app.",
}
_NOT_ACCEPTED = {
    AttemptOutcome.REFUSED: (
        401,
        "The access token does not hold, or is not meant for this. Get a new one, and ask again.",
    ),
    AttemptOutcome.NOT_ALLOWED: (403, "This account may not be used with Sonos."),
    AttemptOutcome.UNAVAILABLE: (
        503,
        "Whoever can verify the access token does not answer. Nothing is lost: ask again.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One request for one link."""

    service: str
    verified: VerifiedCode
    correlation_id: str

    @property
    def link_id(self) -> str:
        """Return the id under which the link is stored."""
        return self.verified.link_id


class LinkApi:
    """The operations of `/api/openapi.json` on one link."""

    def __init__(self, context: GatewayContext) -> None:
        self._context = context

    async def show(self, request: web.Request) -> LinkShown:
        """Return what to tell the person before they are asked."""
        asked = self._asked(request)
        view = await self._context.store.link(asked.link_id)
        if view is None:
            raise Refused(503, _NOT_IN_TIME)
        asker = present.asker(view.link, view.now)
        return LinkShown(
            service=self._context.settings.services[asked.service].title,
            state=view.link.state_at(view.now),
            system=asker.system,
            device=asker.device,
            age=max(0, view.now - view.link.requested_at),
            expires_in=max(0, view.link.expires_at - view.now),
        )

    async def approve(self, request: web.Request) -> Decided:
        """Allow the link in the name of the bearer of an access token, or of whom the back end names."""
        asked = self._asked(request)
        order = await body_of(request, ApproveOrder, optional=True)
        evidence = self._evidence(request, order, asked.service)
        submission_id = self._context.new_id()
        event = LinkApprovalSubmitted(
            service=asked.service,
            gateway=self._context.gateway_id,
            correlation_id=asked.correlation_id,
            link_id=asked.link_id,
            submission_id=submission_id,
            evidence=seal(
                msgspec.json.encode(evidence),
                recipient=self._context.public_keys.auth_worker_box[0].public,
                bound_to=evidence_identity(asked.link_id, submission_id),
            ),
        )
        self._refuse_if_over(await self._context.store.link(asked.link_id))
        for sight in (Sight.SENT, Sight.ALLOWED):
            self._context.tally.saw(asked.verified, sight, self._context.clock.now())
        view = await self._sent(
            asked, event, APPROVED_SECONDS, is_decided=lambda view: _is_judged(view, submission_id)
        )
        return self._approved(view, submission_id)

    async def decline(self, request: web.Request) -> Decided:
        """End the link because the person said no."""
        asked = self._asked(request)
        event = LinkDeclineRequested(
            service=asked.service,
            gateway=self._context.gateway_id,
            correlation_id=asked.correlation_id,
            link_id=asked.link_id,
            browser=APP,
        )
        view = await self._context.store.link(asked.link_id)
        if not _is_declined(view):
            self._refuse_if_over(view)
            if view is not None and view.link.browser is not None:
                raise Refused(409, "Somebody has signed in already, who alone may decline.")
            view = await self._sent(asked, event, DECLINED_SECONDS, is_decided=_is_over)
        if view is not None and _is_declined(view):
            return _decided(view)
        self._refuse_if_over(view)
        raise Refused(503, _NOT_IN_TIME)

    def _asked(self, request: web.Request) -> _Asked:
        known = known_code(request.match_info["code"], self._context)
        if known is None:
            raise Refused(404, "No such link, or its time is over. Start again in the Sonos app.")
        service, verified = known
        self._context.tally.saw(verified, Sight.PAGE, self._context.clock.now())
        return _Asked(service=service, verified=verified, correlation_id=self._context.new_id())

    def _evidence(self, request: web.Request, order: ApproveOrder, service: str) -> AppEvidence:
        settings = self._context.settings
        if order.subject is not None:
            permit(services_of_key(request, settings), service)
            return AppEvidence(vouched=Vouched(subject=order.subject, nickname=order.nickname))
        app, token = settings.services[service].app, bearer_of(request)
        if app is None or not app.methods:
            raise Refused(401, "Access tokens are not taken here; send a key, and in the body a `subject`.")
        if token is None:
            raise Refused(401, "Send the person's access token, as `Authorization: Bearer TOKEN`.")
        return AppEvidence(token=token)

    async def _sent(
        self, asked: _Asked, event: Event, seconds: float, is_decided: Callable[[LinkView], bool]
    ) -> LinkView | None:
        """Send an event and return the link as it is when it is decided, or when time is up.

        Others may be busy with the same link: what wakes us may be the result of their event.
        """
        clock, is_sent = self._context.clock, False
        ends = clock.monotonic() + seconds
        while True:
            with self._context.results.expect(LinkChanged, asked.link_id) as expected:
                if not is_sent:
                    await self._context.bus.publish([event])
                    log.info("app's word sent", kind=event.kind, correlation_id=asked.correlation_id)
                    is_sent = True
                else:
                    view = await self._context.store.link(asked.link_id)
                    if (view is not None and is_decided(view)) or clock.monotonic() >= ends:
                        return view
                await expected.wait(max(0.0, ends - clock.monotonic()))

    def _refuse_if_over(self, view: LinkView | None) -> None:
        if view is not None and (over := _OVER.get(view.link.state_at(view.now))):
            raise Refused(410, over)

    def _approved(self, view: LinkView | None, submission_id: str) -> Decided:
        """Return what became of an approval, or refuse it with the reason."""
        outcome = _outcome(view, submission_id)
        if outcome in _NOT_ACCEPTED:
            raise Refused(*_NOT_ACCEPTED[outcome])
        self._refuse_if_over(view)
        if outcome is AttemptOutcome.TAKEN:
            raise Refused(409, "Another account or a browser has this link already.")
        if view is None or outcome is None or view.link.state is not LinkState.LINKED:
            raise Refused(503, _NOT_IN_TIME)
        return _decided(view)


def _outcome(view: LinkView | None, submission_id: str) -> AttemptOutcome | None:
    attempts = view.attempts if view else ()
    return {attempt.submission_id: attempt.outcome for attempt in attempts}.get(submission_id)


def _is_judged(view: LinkView, submission_id: str) -> bool:
    outcome = _outcome(view, submission_id)
    if outcome is AttemptOutcome.AUTHENTICATED:
        return view.link.state is not LinkState.AUTHENTICATED
    return outcome is not None or _is_over(view)


def _is_over(view: LinkView) -> bool:
    return view.link.state_at(view.now) in _OVER


def _is_declined(view: LinkView | None) -> bool:
    return view is not None and view.link.state is LinkState.DECLINED


def _decided(view: LinkView) -> Decided:
    return Decided(state=view.link.state, url=present.way_back(view.link.callback_path))
