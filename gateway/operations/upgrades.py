"""Upgrade to OAuth: a household that has old credentials gets a token pair, and nobody has to do anything.

Sonos asks by getDeviceAuthToken without a link code, for one account after the other, from every player that restarts
(docs.sonos.com, "Upgrade to OAuth"). So the same question comes often: it is asked once at a time, and answered alike.
"""

from dataclasses import replace

import msgspec

from gateway import counting
from gateway.context import GatewayContext
from gateway.operations import modes, pairs, sessions, tokens
from gateway.operations.request import Request
from gateway.smapi.faults import MalformedCall
from gateway.smapi.results import DeviceAuthTokenResult
from shared.boxes import LoginEvidence, UpgradeEvidence, evidence_identity, upgrade_delivery_id
from shared.domain.errors import (
    LinkNotFound,
    ReauthorizationNeeded,
    SignInRefused,
    TokenRefused,
    TryAgainLater,
)
from shared.messages import CredentialsJudged, UpgradeRequested
from shared.sealing import seal

SAME_SECONDS = 300
"""For so long the same credentials are the same request, also when its answer was lost."""


def is_wanted(request: Request) -> bool:
    """Tell whether a getDeviceAuthToken asks for an upgrade, of a service that has something to upgrade from."""
    return not request.argument("linkCode") and bool(request.settings.upgrade_from)


async def pair_for(request: Request, context: GatewayContext) -> DeviceAuthTokenResult:
    """Return the pair of the household whose old credentials came; without a nickname, so that Sonos keeps the one it has.

    Raises:
        LinkNotFound: this service never had credentials of that kind.
        ReauthorizationNeeded: they are no good (any more), or people have to sign in again by policy.
        AccountDisabled, AccountUnsupported: they are good, and of no use.
        TryAgainLater: could not be judged in time.
    """
    kind = modes.legacy_kind(request.credentials, request.settings)
    if kind not in request.settings.upgrade_from:
        raise LinkNotFound
    if request.settings.upgrade == "sign_in_again":
        raise ReauthorizationNeeded
    result = (
        await _own_successor(request, context) if _is_own_token(request) else await _asked(request, context)
    )
    user_info = result.user_info and replace(result.user_info, nickname=None)
    return replace(result, user_info=user_info)


def _is_own_token(request: Request) -> bool:
    return request.credentials.token is not None and request.settings.upgrade_of is None


async def _own_successor(request: Request, context: GatewayContext) -> DeviceAuthTokenResult:
    """Return the successor of a token of this very service: DeviceLink and AppLink have the same tokens."""
    try:
        return await tokens.successor(tokens.genuine(request, context), request, context)
    except TokenRefused as refusal:
        raise ReauthorizationNeeded from refusal


async def _asked(request: Request, context: GatewayContext) -> DeviceAuthTokenResult:
    household_id = sessions.household_of(request)
    if not household_id:
        raise MalformedCall("householdId is missing")
    evidence = _evidence(request)
    if evidence.token:
        try:
            # A forged token costs no I/O; auth_worker looks again, for itself.
            context.verifier.verify(evidence.token, service=request.settings.upgrade_of or request.service)
        except TokenRefused as refusal:
            raise ReauthorizationNeeded from refusal
    encoded = msgspec.json.encode(evidence)
    period = str(context.clock.now() // SAME_SECONDS)
    request_id = context.logins.fingerprint(
        "upgrade", request.service, household_id, encoded.decode(), period
    )[:32]
    event = UpgradeRequested(
        service=request.service,
        gateway=context.gateway_id,
        correlation_id=request.correlation_id,
        request_id=request_id,
        household_id=household_id,
        provider=context.settings.password_provider(request.settings.upgrade_of or request.service),
        evidence=seal(
            encoded,
            recipient=context.public_keys.auth_worker_box[0].public,
            bound_to=evidence_identity("upgrade", request_id),
        ),
        counted=sessions.counted(evidence.login, request, context) if evidence.login else None,
    )
    return await context.refreshes.join(("upgrade", request_id), lambda: _answered(event, context))


async def _answered(event: UpgradeRequested, context: GatewayContext) -> DeviceAuthTokenResult:
    delivery_id = upgrade_delivery_id(event.request_id)
    sealed = await context.store.delivery(delivery_id)
    if sealed is None:
        await _judged(event, context)
        sealed = await context.store.delivery(delivery_id)
    return pairs.opened(sealed, delivery_id=delivery_id, context=context)


async def _judged(event: UpgradeRequested, context: GatewayContext) -> None:
    try:
        await _let_judge(event, context)
    except SignInRefused as refusal:
        # Nobody stands before a sign-in form who could type it again: the Sonos app has to ask for a new sign-in.
        raise ReauthorizationNeeded from refusal


async def _let_judge(event: UpgradeRequested, context: GatewayContext) -> None:
    if event.counted:
        await counting.check(event.counted, context)
    with context.results.expect(CredentialsJudged, event.request_id) as expected:
        await context.bus.publish([event])
        result = await expected.wait(context.settings.sessions.timeout)
    if not isinstance(result, CredentialsJudged):
        raise TryAgainLater("the old credentials were not judged in time")
    sessions.check(result.verdict)


def _evidence(request: Request) -> UpgradeEvidence:
    credentials = request.credentials
    if credentials.username is not None:
        login = LoginEvidence(name=credentials.username, password=credentials.password or "")
        return UpgradeEvidence(login=login)
    return UpgradeEvidence(session_id=credentials.session_id, token=credentials.token)
