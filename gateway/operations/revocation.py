"""Ends the grant behind a token, for a program that may ask for it."""

from gateway.context import GatewayContext
from shared.domain import grant as rules
from shared.domain.errors import ReauthorizationNeeded, TryAgainLater
from shared.domain.revocation import Scope
from shared.domain.token import TokenClaims
from shared.messages import FamilyEnded, TokenRevokeRequested


async def revoke(claims: TokenClaims, *, reason: str, correlation_id: str, context: GatewayContext) -> None:
    """Return when the token, stale or not, is of no use any more: its family has ended.

    A family that was linked since is not touched.

    Raises:
        BusUnavailable: token_worker could not be told.
        TryAgainLater: told, but not done in time; it will be done, and asking again is right.
    """
    if await _has_ended(claims, context):
        return
    event = TokenRevokeRequested(
        service=claims.service,
        correlation_id=correlation_id,
        scope=Scope.GRANT,
        value=claims.grant_id,
        family=claims.family,
        reason=reason,
    )
    with context.results.expect(FamilyEnded, claims.grant_id) as expected:
        await context.bus.publish([event])
        await expected.wait(context.settings.refresh.timeout)
    # The broadcast is a hint, and might be of an earlier family; the row says what is true.
    if not await _has_ended(claims, context):
        raise TryAgainLater("the end of the grant is on its way")


async def _has_ended(claims: TokenClaims, context: GatewayContext) -> bool:
    view = await context.store.grant(claims.grant_id)
    try:
        rules.check_usable(view.grant if view else None, family=claims.family)
    except ReauthorizationNeeded:
        return True
    return False
