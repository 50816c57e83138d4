"""getDeviceLinkCode: the same link as getAppLink's, for services registered as DeviceLink."""

from gateway.context import GatewayContext
from gateway.operations import linking
from gateway.operations.request import Request
from gateway.smapi.results import DeviceLinkCodeResult


async def get_device_link_code(request: Request, context: GatewayContext) -> DeviceLinkCodeResult:
    """Answer with a link code and the page where it is used; with `typed_codes`, a short one that a person types there.

    getAppLink never answers with a short one: its page is opened by the device that asks, so that nothing has to be
    typed, and the service's app needs the code that opens a link. Source: docs.sonos.com, "getDeviceLinkCode".
    """
    if request.settings.typed_codes:
        return await linking.issue_typed(request, context)
    device_link, _ = await linking.issue(request, context)
    return device_link
