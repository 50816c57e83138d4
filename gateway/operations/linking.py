"""Issues link codes: what getAppLink, getDeviceLinkCode and the service's own back end have in common."""

from dataclasses import dataclass

import msgspec

from gateway.context import GatewayContext
from gateway.operations.request import Request
from gateway.smapi.faults import MalformedCall
from gateway.smapi.results import DeviceLinkCodeResult
from shared.boxes import page_code_identity
from shared.domain import link_code, typed_code
from shared.domain.link_code import VerifiedCode
from shared.messages import LinkRequested
from shared.sealing import seal

LONGEST_CALLBACK = 2048
BETWEEN_HALVES = "."
"""Between the link code and the hidden half, in the linkDeviceId of a typed code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """A link code that nobody knows of yet."""

    code: str
    verified: VerifiedCode
    page: str
    """Address of its page."""


def new_code(service: str, context: GatewayContext) -> NewCode:
    """Make a link code."""
    code, verified = link_code.issue(
        key=context.link_code_keys[0],
        service=service,
        lifetime=context.settings.link.lifetime,
        now=context.clock.now(),
        random=context.random.token_bytes(link_code.RANDOM_BYTES),
    )
    return NewCode(code=code, verified=verified, page=f"{context.settings.public_url}/link/{code}")


def known_code(code: str, context: GatewayContext) -> tuple[str, VerifiedCode] | None:
    """Return the service that a genuine, unexpired link code belongs to, and what it says; without any I/O."""
    for service in context.settings.services:
        verified = link_code.verify(
            code, keys=context.link_code_keys, service=service, now=context.clock.now()
        )
        if verified:
            return service, verified
    return None


async def issue(request: Request, context: GatewayContext) -> tuple[DeviceLinkCodeResult, str]:
    """Make a link code, tell auth_worker, and return what Sonos gets, and the household that asked.

    Raises:
        MalformedCall: no household asked.
        BusUnavailable: the request was not confirmed, so that nobody would complete this link.
    """
    household_id = household(request)
    new = new_code(request.service, context)
    await context.bus.publish([_requested(request, context, new.verified, household_id)])
    result = DeviceLinkCodeResult(
        reg_url=new.page,
        link_code=new.code,
        show_link_code=False,
        link_device_id=new.verified.link_device_id,
    )
    return result, household_id


async def issue_typed(request: Request, context: GatewayContext) -> DeviceLinkCodeResult:
    """Make a link code with a short name that a person types; Sonos keeps both halves of the code in `linkDeviceId`.

    Raises:
        MalformedCall: no household asked.
        BusUnavailable: as above.
    """
    household_id = household(request)
    new = new_code(request.service, context)
    length = await context.live_codes.next_length(context.store, context.clock)
    typed = new.verified.typed_code[:length]
    typed_id = typed_code.typed_id(context.link_code_keys[0], service=request.service, typed=typed)
    requested = msgspec.structs.replace(
        _requested(request, context, new.verified, household_id),
        typed_id=typed_id,
        page_code=seal(
            new.code.encode(),
            recipient=context.public_keys.gateway_box[0].public,
            bound_to=page_code_identity(typed_id),
        ),
    )
    await context.bus.publish([requested])
    return DeviceLinkCodeResult(
        reg_url=f"{context.settings.public_url}{entry_path(request.service)}",
        link_code=typed,
        show_link_code=True,
        link_device_id=f"{new.code}{BETWEEN_HALVES}{new.verified.link_device_id}",
    )


def household(request: Request) -> str:
    """Return the household that asks.

    Raises:
        MalformedCall: none is named.
    """
    household_id = request.argument("householdId") or request.credentials.household_id
    if not household_id:
        raise MalformedCall("householdId is missing")
    return household_id


def entry_path(service: str) -> str:
    """Return the path of the page on which a service's codes are typed; short, since people may have to type it, too."""
    return "/enter" if service == "default" else f"/enter/{service}"


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
        network=request.network(),
        asked_at=context.clock.now(),
    )
