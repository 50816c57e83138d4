"""reportAccountAction: Sonos tells that the account was added on its side."""

import structlog

from gateway.context import GatewayContext
from gateway.operations import tokens
from gateway.operations.request import Request
from gateway.smapi.results import EmptyResult

log = structlog.get_logger(__name__)


async def report_account_action(request: Request, context: GatewayContext) -> EmptyResult:
    """Take note and answer with an empty result. Source: docs.sonos.com, "reportAccountAction"."""
    caller = await tokens.guard(request, context)
    log.info(
        "account action reported",
        action=request.argument("type", longest=128),
        grant_id=caller.grant_id,
        correlation_id=request.correlation_id,
    )
    return EmptyResult()
