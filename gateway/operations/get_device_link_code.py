"""getDeviceLinkCode: the same link as getAppLink's, for services registered as DeviceLink."""

from gateway.context import GatewayContext
from gateway.operations import linking
from gateway.operations.request import Request
from gateway.smapi.results import DeviceLinkCodeResult


async def get_device_link_code(request: Request, context: GatewayContext) -> DeviceLinkCodeResult:
    """Answer with a link code and the page where it is used. Source: docs.sonos.com, "getDeviceLinkCode"."""
    device_link, _ = await linking.issue(request, context)
    return device_link
