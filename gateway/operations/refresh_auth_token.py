"""refreshAuthToken: an explicit request for the successor of a token."""

from gateway.context import GatewayContext
from gateway.operations import tokens
from gateway.operations.request import Request
from gateway.smapi.results import DeviceAuthTokenResult


async def refresh_auth_token(request: Request, context: GatewayContext) -> DeviceAuthTokenResult:
    """Answer with the successor, stale or not: Sonos asks after some REST endpoint said 401.

    Source: docs.sonos.com, "refreshAuthToken".
    """
    return await tokens.successor(tokens.genuine(request, context), request, context)
