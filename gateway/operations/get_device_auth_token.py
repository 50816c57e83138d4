"""getDeviceAuthToken: Sonos polls until the link is done or can never be."""

import hmac

from gateway.context import GatewayContext
from gateway.operations import linking, pairs, upgrades
from gateway.operations.request import Request
from gateway.smapi.results import DeviceAuthTokenResult
from shared.domain import link as rules
from shared.domain import link_code, typed_code
from shared.domain.errors import LinkFailed, LinkNotFound, LinkPending
from shared.domain.link_code import VerifiedCode
from shared.domain.sight import Sight


async def get_device_auth_token(request: Request, context: GatewayContext) -> DeviceAuthTokenResult:
    """Answer a poll with one read; a forged or expired code costs none.

    The same pair is given again until the link expires, since answers get lost. Source: docs.sonos.com,
    "getDeviceAuthToken". Without a link code it is the upgrade of a household that has old credentials ("Upgrade to OAuth").

    Raises:
        LinkPending: not finished, ask again.
        LinkFailed: will never succeed.
    """
    if upgrades.is_wanted(request):
        return await upgrades.pair_for(request, context)
    verified = _accepted(request, context)
    if verified is None:
        raise LinkNotFound
    try:
        view = await context.store.poll(verified.link_id)
        link = rules.polled(view.link if view else None, now=view.now if view else context.clock.now())
        pair = pairs.opened(view.delivery if view else None, delivery_id=link.link_id, context=context)
    except LinkPending:
        context.tally.saw(verified, Sight.RETRY, context.clock.now())
        raise
    except Exception as error:
        sight = Sight.FAILURE if isinstance(error, LinkFailed) else Sight.UNAVAILABLE
        context.tally.saw(verified, sight, context.clock.now())
        raise
    # Another household than the one that asked is no reason to refuse it, since its id changes shape; but it is put on record.
    household = request.argument("householdId") or request.credentials.household_id or ""
    context.tally.saw(verified, Sight.DELIVERED, context.clock.now(), household)
    context.traces.concerns(request.correlation_id, link.link_id)
    return pair


def _accepted(request: Request, context: GatewayContext) -> VerifiedCode | None:
    """Return what both halves of the code stand for together, or None; never does I/O."""
    code = request.argument("linkCode")
    typed = None if link_code.has_shape(code) else typed_code.normalise(code)
    if typed is not None:
        return _accepted_typed(typed, request, context)
    verified = _verified(code, request, context)
    if verified is None or _device_accepted(request, context, verified):
        return verified
    context.tally.saw(verified, Sight.WRONG_DEVICE, context.clock.now())
    return None


def _accepted_typed(typed: str, request: Request, context: GatewayContext) -> VerifiedCode | None:
    """Take a typed code only with both halves of the link code it was derived from, whatever the policy says."""
    code, _, hidden = request.argument("linkDeviceId").partition(linking.BETWEEN_HALVES)
    verified = _verified(code, request, context)
    if verified is None or not typed_code.is_of(typed, verified.typed_code):
        return None
    if _is_hidden_half(hidden, verified):
        return verified
    context.tally.saw(verified, Sight.WRONG_DEVICE, context.clock.now())
    return None


def _verified(code: str, request: Request, context: GatewayContext) -> VerifiedCode | None:
    return link_code.verify(
        code, keys=context.link_code_keys, service=request.service, now=context.clock.now()
    )


def _device_accepted(request: Request, context: GatewayContext, verified: VerifiedCode) -> bool:
    """Tell whether the hidden half came back, as the policy wants it.

    Controllers that are not Sonos's own send their serial number instead, so the policy can be loosened.
    """
    policy = context.settings.link.device_id
    sent = request.argument("linkDeviceId")
    if policy == "ignored" or (policy == "checked_if_sent" and not sent):
        return True
    return _is_hidden_half(sent, verified)


def _is_hidden_half(sent: str, verified: VerifiedCode) -> bool:
    return hmac.compare_digest(sent.encode(), verified.link_device_id.encode())
