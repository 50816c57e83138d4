"""getDeviceAuthToken: Sonos polls until the link is done or can never be."""

import hmac

from gateway.context import GatewayContext
from gateway.operations import pairs, upgrades
from gateway.operations.request import Request
from gateway.smapi.results import DeviceAuthTokenResult
from shared.domain import link as rules
from shared.domain import link_code
from shared.domain.errors import LinkNotFound
from shared.domain.link_code import VerifiedCode


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
    verified = link_code.verify(
        request.argument("linkCode"),
        keys=context.link_code_keys,
        service=request.service,
        now=context.clock.now(),
    )
    if verified is None or not _device_accepted(request, context, verified):
        raise LinkNotFound
    view = await context.store.poll(verified.link_id)
    link = rules.polled(view.link if view else None, now=view.now if view else context.clock.now())
    return pairs.opened(view.delivery if view else None, delivery_id=link.link_id, context=context)


def _device_accepted(request: Request, context: GatewayContext, verified: VerifiedCode) -> bool:
    """Tell whether the hidden half came back, as the policy wants it.

    Controllers that are not Sonos's own send their serial number instead, so the policy can be loosened.
    """
    policy = context.settings.link.device_id
    sent = request.argument("linkDeviceId")
    if policy == "ignored" or (policy == "checked_if_sent" and not sent):
        return True
    return hmac.compare_digest(sent.encode(), verified.link_device_id.encode())
