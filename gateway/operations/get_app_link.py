"""getAppLink: the first call of adding or reauthorizing an account."""

from urllib.parse import quote

from gateway.context import GatewayContext
from gateway.operations import linking
from gateway.operations.request import Request
from gateway.smapi.results import AppLinkInfo, AppLinkResult
from shared.settings import ServiceSettings


async def get_app_link(request: Request, context: GatewayContext) -> AppLinkResult:
    """Answer with the ways to sign in: the service's app if it has one, and always the browser.

    Source: docs.sonos.com, "getAppLink". Credentials in the header are ignored: some controllers send stale ones here.
    """
    device_link, household_id = await linking.issue(request, context)
    values = {
        "linkCode": device_link.link_code,
        "householdId": household_id,
        "callbackPath": request.argument("callbackPath", longest=linking.LONGEST_CALLBACK),
    }
    return AppLinkResult(
        authorize_account=AppLinkInfo(
            app_url=_filled(request.settings.app_url, values),
            app_url_string_id=request.settings.sign_in_string_id,
            device_link=device_link,
        ),
        create_account=_create_account(request.settings, values),
    )


def _create_account(settings: ServiceSettings, values: dict[str, str]) -> AppLinkInfo | None:
    if settings.create_account is None:
        return None
    return AppLinkInfo(
        app_url=_filled(settings.create_account.app_url, values),
        app_url_string_id=settings.create_account.string_id,
    )


def _filled(template: str | None, values: dict[str, str]) -> str | None:
    """Return a deep link with its `{placeholders}` replaced by percent-encoded values."""
    if template is None:
        return None
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    return template
