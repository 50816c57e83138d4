"""Checks the token of a call: the guard in front of every operation that needs to know who is asking."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from gateway.caller import Caller
from gateway.context import GatewayContext
from gateway.operations import modes, pairs, sessions
from gateway.operations.request import Request
from gateway.smapi.faults import TokenRefreshRequired
from gateway.smapi.results import DeviceAuthTokenResult, UserInfo
from shared.boxes import refresh_delivery_id
from shared.domain import grant as rules
from shared.domain.account import check_enabled, user_id_hash_code
from shared.domain.errors import ReauthorizationNeeded, TokenRefused, TryAgainLater
from shared.domain.token import SENTINEL, TokenClaims
from shared.messages import RefreshOutcome, TokenRefreshed, TokenRefreshRequested, TokenSeen
from shared.settings import Auth
from shared.storage.records import TokenView


async def guard(request: Request, context: GatewayContext) -> Caller:
    """Return whose call this is, by whatever the service has its households prove it with.

    Raises:
        TokenRefused: no credentials, or not of a kind or a making that counts here.
        SessionUnknown: the session id is not known any more.
        SignInRefused, AccountDisabled, AccountUnsupported: the name and password in the header are no good.
        TokenRefreshRequired: the token is stale; the fault carries its successor.
        ReauthorizationNeeded: the grant has ended, the account is disabled, or the token is stale and has no successor.
        TryAgainLater: the successor could not be had in time.
    """
    kind = modes.kind_of(request.credentials, request.settings)
    return await _GUARDS[kind](request, context)


async def _by_token(request: Request, context: GatewayContext) -> Caller:
    claims = genuine(request, context)
    if not context.settings.tokens.kind.refreshes:
        view = await living(claims, correlation_id=request.correlation_id, context=context)
    elif claims.is_stale(context.clock.now()):
        raise TokenRefreshRequired(await successor(claims, request, context))
    else:
        view = await _usable(claims, request.correlation_id, context)
    return caller_of(view, device_id=request.credentials.device_id)


def caller_of(view: TokenView, *, device_id: str | None = None) -> Caller:
    """Return who is asking, as the rows behind a token have it."""
    return Caller(
        kind="link",
        service=view.grant.service,
        account_id=view.account.account_id,
        provider=view.account.provider,
        subject=view.account.subject,
        nickname=view.account.nickname or None,
        tier=view.account.tier,
        household_id=view.grant.household_id,
        device_id=device_id,
        grant_id=view.grant.grant_id,
        favorites=f"{view.grant.grant_id}-{view.grant.family}",
    )


async def living(claims: TokenClaims, *, correlation_id: str = "", context: GatewayContext) -> TokenView:
    """Return the row behind a genuine token, wherever it was presented: every check of the guard, and no minute of grace.

    Args:
        claims: of the token.
        correlation_id: of the request; without one there will be one if something has to be told.
        context: of the gateway.

    Raises:
        ReauthorizationNeeded: stale, its grant has ended, or its account is disabled.
        StoreUnavailable: it cannot be told now.
    """
    view = await _usable(claims, correlation_id, context)
    rules.check_unexpired(claims.expires_at, now=view.now)
    return view


async def _usable(claims: TokenClaims, correlation_id: str, context: GatewayContext) -> TokenView:
    """Return the row behind a token, however old, if nobody has ended it."""
    view = await context.store.grant(claims.grant_id)
    if view is None:
        raise ReauthorizationNeeded
    rules.check_usable(view.grant, family=claims.family)
    check_enabled(view.account)
    _tell_seen(claims, view, correlation_id, context)
    return view


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

    Where tokens have no successor it is the same pair, while it lives (`TokenKind`).

    Raises:
        ReauthorizationNeeded: the household has to link again.
        TokenRefused: the key that came with the token is not its own.
        TryAgainLater: no result in time; asking again gives the same pair.
    """
    if not context.settings.tokens.kind.refreshes:
        return await _same_pair(claims, request, context)
    event = _refresh_requested(claims, request, context)
    flight = (event.service, event.grant_id, event.family, event.generation, event.key_hash)
    return await context.refreshes.join(flight, lambda: _refreshed(event, context))


async def _same_pair(claims: TokenClaims, request: Request, context: GatewayContext) -> DeviceAuthTokenResult:
    view = await living(claims, correlation_id=request.correlation_id, context=context)
    assert request.credentials.token is not None  # these are its claims
    return DeviceAuthTokenResult(
        auth_token=request.credentials.token,
        private_key=SENTINEL,
        user_info=UserInfo(
            user_id_hash_code=user_id_hash_code(view.account.account_id),
            account_tier=view.account.tier,
            nickname=view.account.nickname,
        ),
    )


async def _refreshed(event: TokenRefreshRequested, context: GatewayContext) -> DeviceAuthTokenResult:
    started, outcome = context.clock.monotonic(), "late"
    try:
        result = await _judged(event, context)
        outcome = result.outcome.value
    finally:
        context.metrics.refreshes.observe(context.clock.monotonic() - started, outcome)
    if result.outcome is RefreshOutcome.REAUTHORIZE:
        raise ReauthorizationNeeded
    if result.outcome is RefreshOutcome.REFUSED:
        raise TokenRefused("the privateKey is not that of the token")
    delivery_id = refresh_delivery_id(event.grant_id, event.family, event.generation)
    sealed = await context.store.delivery(delivery_id)
    return pairs.opened(sealed, delivery_id=delivery_id, context=context)


async def _judged(event: TokenRefreshRequested, context: GatewayContext) -> TokenRefreshed:
    with context.results.expect(TokenRefreshed, event.request_id) as expected:
        try:
            async with asyncio.timeout(context.settings.refresh.timeout):
                await context.bus.publish([event])
                result = await expected.arrived
        except TimeoutError as error:
            raise TryAgainLater("the successor of the token was not there in time") from error
    assert isinstance(result, TokenRefreshed)  # nothing else comes under this key
    return result


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


def _tell_seen(claims: TokenClaims, view: TokenView, correlation_id: str, context: GatewayContext) -> None:
    """Tell token_worker of the first sight of a generation; the row itself says whether anybody has."""
    if view.grant.seen_generation >= claims.generation or view.grant.generation < claims.generation:
        return
    event = TokenSeen(
        service=claims.service,
        correlation_id=correlation_id or context.correlation_id(),
        grant_id=claims.grant_id,
        family=claims.family,
        generation=claims.generation,
    )
    context.sightings.tell(event, (claims.grant_id, claims.family, claims.generation), context.bus)


async def _anonymous(request: Request, _: GatewayContext) -> Caller:
    """Return nobody in particular: whatever is asked is answered, and the device is passed on to whoever cares."""
    return Caller(
        kind="anonymous",
        service=request.service,
        household_id=request.credentials.household_id,
        device_id=request.credentials.device_id,
        favorites="1",
    )


_GUARDS: dict[Auth, Callable[[Request, GatewayContext], Awaitable[Caller]]] = {
    "link": _by_token,
    "session_id": sessions.by_session_id,
    "stateless": sessions.by_login,
    "anonymous": _anonymous,
}
