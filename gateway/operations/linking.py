"""Issues link codes: what getAppLink and getDeviceLinkCode have in common."""

from gateway.context import GatewayContext
from gateway.operations.request import Request
from gateway.smapi.faults import MalformedCall
from gateway.smapi.results import DeviceLinkCodeResult
from shared.domain import link_code
from shared.domain.link_code import VerifiedCode
from shared.messages import LinkRequested

LONGEST_CALLBACK = 2048


async def issue(request: Request, context: GatewayContext) -> tuple[DeviceLinkCodeResult, str]:
    """Make a link code, tell auth_worker, and return what Sonos gets, and the code.

    Raises:
        MalformedCall: no household asked.
        BusUnavailable: the request was not confirmed, so that nobody would complete this link.
    """
    household_id = request.argument("householdId") or request.credentials.household_id
    if not household_id:
        raise MalformedCall("householdId is missing")
    code, verified = link_code.issue(
        key=context.link_code_keys[0],
        service=request.service,
        lifetime=context.settings.link.lifetime,
        now=context.clock.now(),
        random=context.random.token_bytes(link_code.RANDOM_BYTES),
    )
    await context.bus.publish([_requested(request, context, verified, household_id)])
    result = DeviceLinkCodeResult(
        reg_url=f"{context.settings.public_url}/link/{code}",
        link_code=code,
        show_link_code=False,
        link_device_id=verified.link_device_id,
    )
    return result, household_id


def _requested(
    request: Request, context: GatewayContext, verified: VerifiedCode, household_id: str
) -> LinkRequested:
    callback_path = request.argument("callbackPath", longest=LONGEST_CALLBACK + 1)
    return LinkRequested(
        service=request.service,
        gateway=context.gateway_id,
        correlation_id=request.correlation_id,
        link_id=verified.link_id,
        lifetime=context.settings.link.lifetime,
        household_id=household_id,
        hardware=request.argument("hardware"),
        os_version=request.argument("osVersion"),
        app_name=request.argument("sonosAppName"),
        # A path that was cut would lead nowhere; without one the person goes back by hand.
        callback_path=callback_path if len(callback_path) <= LONGEST_CALLBACK else "",
    )
