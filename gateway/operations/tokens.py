"""Checks the token of a call: the guard in front of every operation that needs to know who is asking."""

import asyncio
import hashlib

from gateway.caller import Caller
from gateway.context import GatewayContext
from gateway.operations import pairs
from gateway.operations.request import Request
from gateway.results import refresh_key
from gateway.smapi.faults import TokenRefreshRequired
from gateway.smapi.results import DeviceAuthTokenResult
from shared.domain import grant as rules
from shared.domain.errors import ReauthorizationNeeded, TokenRefused, TryAgainLater
from shared.domain.grant import Presented
from shared.domain.token import TokenClaims
from shared.messages import (
    RefreshOutcome,
    TokenRefreshed,
    TokenRefreshRequested,
    TokenSeen,
    refresh_delivery_id,
)
from shared.storage.base import GrantView


async def guard(request: Request, context: GatewayContext) -> Caller:
    """Return whose call this is.

    Raises:
        TokenRefused: no token, or not one of ours.
        TokenRefreshRequired: the token is stale; the fault carries its successor.
        ReauthorizationNeeded: the grant has ended.
        TryAgainLater: the successor could not be had in time.
    """
    claims = genuine(request, context)
    if claims.is_stale(context.clock.now()):
        raise TokenRefreshRequired(await successor(claims, request, context))
    view = await context.store.grant(claims.grant_id)
    if view is None:
        raise ReauthorizationNeeded
    rules.check_usable(view.grant, _presented(claims))
    _tell_seen(claims, view, request, context)
    return Caller(
        kind="link",
        service=view.grant.service,
        account_id=view.account.account_id,
        provider=view.account.provider,
        subject=view.account.subject,
        nickname=view.account.nickname,
        tier=view.account.tier,
        household_id=view.grant.household_id,
        device_id=request.credentials.device_id,
        grant_id=view.grant.grant_id,
        favorites=f"{view.grant.grant_id}-{view.grant.family}",
    )


def genuine(request: Request, context: GatewayContext) -> TokenClaims:
    """Return the claims of the call's token, stale or not, without any I/O.

    Raises:
        TokenRefused: no token, or not one of ours.
    """
    if request.credentials.token is None:
        raise TokenRefused("no token came with the call")
    return context.verifier.verify(request.credentials.token, service=request.service)


async def successor(claims: TokenClaims, request: Request, context: GatewayContext) -> DeviceAuthTokenResult:
    """Return the pair that answers a genuine token; concurrent presenters share one round trip to token_worker.

    Raises:
        ReauthorizationNeeded: the household has to link again.
        TokenRefused: the key that came with the token is not its own.
        TryAgainLater: no result in time; asking again gives the same pair.
    """
    event = _refresh_requested(claims, request, context)
    flight = (event.service, event.grant_id, event.family, event.generation, event.key_hash)
    return await context.refreshes.join(flight, lambda: _refreshed(event, context))


async def _refreshed(event: TokenRefreshRequested, context: GatewayContext) -> DeviceAuthTokenResult:
    seconds = context.settings.refresh.timeout
    with context.results.expect(refresh_key(event.request_id)) as expected:
        async with asyncio.timeout(seconds):
            await context.bus.publish([event])
            result = await expected.wait(seconds)
    if not isinstance(result, TokenRefreshed):
        raise TryAgainLater("the successor of the token was not there in time")
    if result.outcome is RefreshOutcome.REAUTHORIZE:
        raise ReauthorizationNeeded
    if result.outcome is RefreshOutcome.REFUSED:
        raise TokenRefused("the privateKey is not that of the token")
    delivery_id = refresh_delivery_id(event.grant_id, event.family, event.generation)
    sealed = await context.store.delivery(delivery_id)
    return pairs.opened(sealed, delivery_id=delivery_id, context=context)


def _refresh_requested(
    claims: TokenClaims, request: Request, context: GatewayContext
) -> TokenRefreshRequested:
    key = request.credentials.key
    return TokenRefreshRequested(
        service=request.service,
        gateway=context.gateway_id,
        correlation_id=request.correlation_id,
        request_id=context.new_id(),
        grant_id=claims.grant_id,
        family=claims.family,
        generation=claims.generation,
        expires_at=claims.expires_at,
        key_hash=hashlib.sha256(key.encode()).hexdigest() if key else None,
    )


def _tell_seen(claims: TokenClaims, view: GrantView, request: Request, context: GatewayContext) -> None:
    """Tell token_worker of the first sight of a generation; the row itself says whether anybody has."""
    if view.grant.seen_generation >= claims.generation or view.grant.generation < claims.generation:
        return
    event = TokenSeen(
        service=request.service,
        correlation_id=request.correlation_id,
        grant_id=claims.grant_id,
        family=claims.family,
        generation=claims.generation,
    )
    context.sightings.tell(event, context.bus)


def _presented(claims: TokenClaims) -> Presented:
    return Presented(family=claims.family, generation=claims.generation, expires_at=claims.expires_at)
