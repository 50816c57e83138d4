"""getLastUpdate: has anything changed that the Sonos app shows?"""

from gateway.context import GatewayContext
from gateway.operations import tokens
from gateway.operations.request import Request
from gateway.smapi.results import LastUpdate


async def get_last_update(request: Request, context: GatewayContext) -> LastUpdate:
    """Answer with versions that change only when the household is linked anew: the built-in content never does.

    Source: docs.sonos.com, "getLastUpdate".
    """
    caller = await tokens.guard(request, context)
    return LastUpdate(
        catalog="1",
        favorites=caller.favorites,
        poll_interval=request.settings.poll_interval,
    )
