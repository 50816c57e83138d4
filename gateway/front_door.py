"""The front door: which methods go to the service's own endpoint, checked first, and with what they go there.

Of the caller's headers only the language passes, in a shape that can be nothing else. The method, the kind of body and who is
asking are said in our own words, so that the content server reads the request that was checked here, and no other.
"""

import re

from gateway.content import Reply
from gateway.context import GatewayContext
from gateway.identity import headers_of
from gateway.operations import tokens
from gateway.operations.request import Request
from gateway.smapi.envelope import CONTENT_TYPE
from gateway.smapi.methods import NAMESPACE
from shared.settings import ContentSettings, ServiceSettings

KEPT = frozenset(
    {"getAppLink", "getDeviceAuthToken", "getDeviceLinkCode", "getSessionId", "refreshAuthToken"}
)
"""What makes, renews or exchanges credentials is answered here, or by nobody."""
KEPT_UNLESS_SET = frozenset({"getLastUpdate", "getUserInfo", "reportAccountAction"})
"""What `pass_on` in the settings may name."""

# RFC 9110, section 12.5.4, without anything that a language range has no use for.
_LANGUAGES = re.compile(r"[A-Za-z0-9*,;=.\- ]{1,255}")


def behind(method: str, settings: ServiceSettings) -> ContentSettings | None:
    """Return where a method is answered if not here."""
    content = settings.content
    if content is None or method in KEPT or (method in KEPT_UNLESS_SET and method not in content.pass_on):
        return None
    return content


async def pass_on(
    request: Request,
    content: ContentSettings,
    context: GatewayContext,
    *,
    envelope: bytes,
    accept_language: str | None,
) -> Reply:
    """Check who is asking, then ask the content server; *envelope* goes there byte for byte.

    Raises:
        TokenRefused, TokenRefreshRequired, ReauthorizationNeeded, TryAgainLater: as `tokens.guard`; nobody was asked.
        ContentUnavailable: the content server gave no answer that could be passed on.
    """
    caller = await tokens.guard(request, context)
    voucher = context.voucher.vouch(caller, audience=content.url, now=context.clock.now())
    headers = {
        "SOAPAction": f'"{NAMESPACE}#{request.call.method}"',
        # Whatever charset the caller named: it was read as UTF-8 here.
        "Content-Type": CONTENT_TYPE,
        "Authorization": f"Bearer {voucher}",
        "Latchkey-Correlation-Id": request.correlation_id,
        **headers_of(caller),
    }
    if accept_language and _LANGUAGES.fullmatch(accept_language):
        headers["Accept-Language"] = accept_language
    return await context.content_servers.ask(content, envelope, headers)
