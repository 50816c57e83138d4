"""One SMAPI call from bytes to bytes: parse, operate or pass on, render; and the one table from refusal to fault."""

from collections.abc import Callable

import msgspec
import structlog

from gateway import front_door
from gateway.call_log import OK
from gateway.content import ContentUnavailable, Rest
from gateway.context import GatewayContext
from gateway.operations import OPERATIONS, Operation, Request, modes
from gateway.smapi import envelope, faults
from gateway.smapi.faults import Fault
from gateway.smapi.methods import METHODS
from shared.bus.base import BusUnavailable
from shared.domain import errors
from shared.storage.base import StoreUnavailable
from shared.traces import Span

log = structlog.get_logger(__name__)

FAULTS: tuple[tuple[type[Exception], type[Fault]], ...] = (
    (errors.LinkPending, faults.NotLinkedRetry),
    (errors.LinkFailed, faults.NotLinkedFailure),
    (errors.SignInRefused, faults.LoginInvalid),
    (errors.AccountDisabled, faults.LoginDisabled),
    (errors.AccountUnsupported, faults.LoginUnsupported),
    (errors.SessionUnknown, faults.SessionIdInvalid),
    (errors.TokenRefused, faults.LoginUnauthorized),
    (errors.ReauthorizationNeeded, faults.AuthTokenExpired),
    (errors.TryAgainLater, faults.ServiceUnavailable),
    (BusUnavailable, faults.ServiceUnavailable),
    (StoreUnavailable, faults.ServiceUnavailable),
    (ContentUnavailable, faults.ServiceUnavailable),
    (TimeoutError, faults.ServiceUnavailable),
)
"""What keeps an operation from a result -> what Sonos is told. Anything else is ours: ServiceUnknownError."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A SMAPI request as it came over HTTP."""

    service: str
    body: bytes
    soap_action: str | None
    authorization: str | None
    accept_language: str | None
    network: Callable[[], str | None] = lambda: None
    """Tells `network_id` of the caller; asked by those who need it alone."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back: HTTP 200 with a result, or HTTP 500 with a fault."""

    status: int
    body: bytes
    """All of it, or the beginning if there is a rest."""
    content_type: str = envelope.CONTENT_TYPE
    rest: Rest | None = None
    """What a content server is still sending; whoever takes this closes it."""
    correlation_id: str = ""


async def answer(asked: Asked, context: GatewayContext) -> Answered:
    """Answer one call; whatever happens inside, a SOAP answer or a SOAP fault comes out."""
    correlation_id = context.correlation_id()
    started = context.clock.monotonic()
    method, outcome = "", OK
    try:
        call = context.shapes.parse_call(asked.body, asked.soap_action, asked.authorization)
        method = call.method
        request = Request(
            call=call,
            service=asked.service,
            settings=context.settings.services[asked.service],
            correlation_id=correlation_id,
            network=asked.network,
        )
        modes.check(method, request.settings)
        answered = await _answered(request, asked, context)
    except Exception as error:  # noqa: BLE001 - nothing but SOAP may leave
        fault = _fault(error, correlation_id)
        outcome = fault.code
        return _FAULTY.get(fault) or Answered(status=500, body=envelope.render_fault(fault))
    else:
        outcome = OK if answered.status == 200 else "fault of the content server"
        return answered
    finally:
        seconds = context.clock.monotonic() - started
        known = method if method in _METHODS else "other"
        context.metrics.calls.observe(seconds, known, outcome)
        if context.traces.is_on and outcome not in _UNTOLD:
            context.traces.tell(_span(known, outcome, seconds, correlation_id))
        context.call_log.tell(
            method=method,
            outcome=outcome,
            service=asked.service,
            correlation_id=correlation_id,
            duration_ms=round(seconds * 1000, 2),
        )


async def _answered(request: Request, asked: Asked, context: GatewayContext) -> Answered:
    """Answer a call that could be read: here, or by the service's own endpoint."""
    method = request.call.method
    content = front_door.behind(method, request.settings)
    if content is None:
        result = await _operation(method)(request, context)
        return Answered(status=200, body=envelope.render_result(method, result))
    reply = await front_door.pass_on(
        request, content, context, envelope=asked.body, accept_language=asked.accept_language
    )
    return Answered(
        status=reply.status,
        body=reply.body,
        content_type=reply.content_type,
        rest=reply.rest,
        correlation_id=request.correlation_id,
    )


def _span(method: str, outcome: str, seconds: float, correlation_id: str) -> Span:
    return Span(
        name=f"smapi {method}",
        side="server",
        seconds=seconds,
        outcome=outcome,
        correlation_id=correlation_id,
        # A poll belongs to what getAppLink began.
        begins=method != "getDeviceAuthToken",
        failed=outcome.startswith("Server."),
    )


def refused(status: int) -> Answered:
    """Return the fault for a request that HTTP itself refused with *status*: too large, too slow, no such path."""
    fault = faults.MalformedCall() if status < 500 else faults.ServiceUnavailable()
    return Answered(status=500, body=envelope.render_fault(fault))


def _operation(method: str) -> Operation:
    operation = OPERATIONS.get(method)
    if operation is None:
        raise faults.MethodNotSupported
    return operation


def _fault(error: Exception, correlation_id: str) -> Fault:
    if isinstance(error, Fault):
        return error
    if isinstance(error, ContentUnavailable):
        log.warning("content server failed", reason=str(error), correlation_id=correlation_id)
    for kind in type(error).__mro__:
        if kind in _TOLD:
            return _TOLD[kind]
    log.error("smapi call failed", correlation_id=correlation_id, exc_info=error)
    return faults.ServiceUnknownError(correlation_id)


_METHODS = frozenset(METHODS)
_UNTOLD = {fault.code for fault in faults.FAULTS if fault.code.startswith("Client.")} - {
    faults.TokenRefreshRequired.code
}
"""Outcomes without a trace: what every waiting household gets every five seconds, and what anybody may send by the thousand."""
_TOLD = {kind: fault() for kind, fault in FAULTS}
# A fault of the table is the same each time, and so is its answer.
_FAULTY: dict[Fault, Answered] = {
    fault: Answered(status=500, body=envelope.render_fault(fault)) for fault in _TOLD.values()
}
